"""Which words of a log are secrets: what oslo.utils knows by its name, and what is known by its form."""

import logging
import re

import orjson
from oslo_log import formatters
from oslo_utils import strutils

MASK = "***"
#: A line without any of these holds no secret: most are looked at no closer.
SIGNS = ("pass", "pswd", "secret", "token", "key", "chap", "authorization", "://", "gaaaaa", "aq", "configdrive")
FORMS = tuple((re.compile(pattern, re.IGNORECASE if ignore_case else 0), replacement) for pattern, replacement, ignore_case in (
    # URLs of databases and brokers.
    (r"((?:\w://|,)[^\s:/@,]*:)[^\s@/,]+(@)", rf"\1{MASK}\2", False),
    # Ceph's keys, and tokens of Keystone.
    (r"\bAQ[A-Za-z0-9+/]{36,38}==", MASK, False),
    (r"gAAAAA[\w=-]{20,}", MASK, False),
    # What is kept of an export.
    (r"(CHAP \S+ )[^\s\"',]+", rf"\1{MASK}", False),
    # Headers.
    (r"(x-(?:auth|service|subject)-token[\"']?\s*[:=,]\s*[\"']?)[^\s\"',]+", rf"\1{MASK}", True),
    (r"(authorization[\"']?\s*[:=,]\s*[\"']?(?:basic|bearer)?\s*)[^\s\"',]+", rf"\1{MASK}", True),
    # Words of a command in a list, and the key of encrypted volumes.
    (r"([\"']--?\w*(?:password|secret)[\"'],\s*[\"'])[^\"']*", rf"\1{MASK}", True),
    (r"(fixed_key[\"']?\s*[:=]\s*[\"']?)[^\s\"',]+", rf"\1{MASK}", True),
))


def mask(text):
    """The text with its secrets replaced."""
    lowered = text.lower()
    if not any(sign in lowered for sign in SIGNS):
        return text
    for form, replacement in FORMS:
        text = form.sub(replacement, text)
    return strutils.mask_password(text, MASK)


class _Json(formatters.JSONFormatter):
    """A line of JSON. Secrets go before it is made, for what is masked afterwards may not be JSON any more."""

    def format(self, record):
        plain = logging.makeLogRecord(record.__dict__)
        plain.msg, plain.args = mask(record.getMessage()), None
        found = orjson.loads(super().format(plain))
        for field in ("traceback", "error_summary"):
            found[field] = found[field] and mask(found[field])
        return orjson.dumps(found).decode()


#: Characters that would begin another line, drive a terminal or turn the direction of what follows.
CONTROLS = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def on_one_line(text):
    """The text with such characters written as escapes: what others sent cannot look like a line of the log's own."""
    return CONTROLS.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


class _Text(logging.Formatter):
    """What another formatter makes, without secrets: one line, and the lines of a traceback behind it."""

    def __init__(self, inner):
        super().__init__()
        self._inner = inner

    def format(self, record):
        plain = logging.makeLogRecord(record.__dict__)
        text = self._inner.format(plain)
        head, behind = text, ""
        if plain.exc_text and text.endswith(plain.exc_text):
            head, behind = text.removesuffix(plain.exc_text).removesuffix("\n"), plain.exc_text
        lines = [head, *behind.split("\n")] if behind else [head]
        return mask("\n".join(map(on_one_line, lines)))


def install():
    """Keep secrets out of all that is logged, once logging is set up."""
    for handler in logging.getLogger().handlers:
        inner = handler.formatter
        handler.setFormatter(_Json(datefmt=inner.datefmt) if isinstance(inner, formatters.JSONFormatter) else _Text(inner))
