"""Masks secrets in logs: those that oslo.utils recognizes by name, and those recognized by their form."""

import logging
import re

import orjson
from oslo_log import formatters
from oslo_utils import strutils

MASK = "***"
#: A line without any of these holds no secret, and is not searched further.
SIGNS = ("pass", "pswd", "secret", "token", "key", "chap", "authorization", "://", "gaaaaa", "aq", "configdrive")
_PATTERNS = (
    # URLs of databases and brokers.
    (r"((?:\w://|,)[^\s:/@,]*:)[^\s@/,]+(@)", rf"\1{MASK}\2", False),
    # Ceph's keys, and tokens of Keystone.
    (r"\bAQ[A-Za-z0-9+/]{36,38}==", MASK, False),
    (r"gAAAAA[\w=-]{20,}", MASK, False),
    # Secrets of exports.
    (r"(CHAP \S+ )[^\s\"',]+", rf"\1{MASK}", False),
    # Headers.
    (r"(x-(?:auth|service|subject)-token[\"']?\s*[:=,]\s*[\"']?)[^\s\"',]+", rf"\1{MASK}", True),
    (r"(authorization[\"']?\s*[:=,]\s*[\"']?(?:basic|bearer)?\s*)[^\s\"',]+", rf"\1{MASK}", True),
    # Arguments of a command in a list, and the key of encrypted volumes.
    (r"([\"']--?\w*(?:password|secret)[\"'],\s*[\"'])[^\"']*", rf"\1{MASK}", True),
    (r"(fixed_key[\"']?\s*[:=]\s*[\"']?)[^\s\"',]+", rf"\1{MASK}", True),
)
FORMS = tuple((re.compile(pattern, re.IGNORECASE if ignore_case else 0), replacement)
              for pattern, replacement, ignore_case in _PATTERNS)


def mask(text: str) -> str:
    """The text with its secrets replaced."""
    lowered = text.lower()
    if not any(sign in lowered for sign in SIGNS):
        return text
    for form, replacement in FORMS:
        text = form.sub(replacement, text)
    return strutils.mask_password(text, MASK)


class _Json(formatters.JSONFormatter):
    """Formats a line of JSON. Secrets are masked first, because masking the JSON could break it."""

    def format(self, record):
        plain = logging.makeLogRecord(record.__dict__)
        plain.msg, plain.args = mask(record.getMessage()), None
        found = orjson.loads(super().format(plain))
        for field in ("traceback", "error_summary"):
            found[field] = found[field] and mask(found[field])
        return orjson.dumps(found).decode()


#: Characters that start a new line, control a terminal or change the direction of text.
CONTROLS = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def on_one_line(text: str) -> str:
    """The text with these characters escaped, so that input from others cannot forge a log line."""
    return CONTROLS.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


class _Text(logging.Formatter):
    """Masks another formatter's output: one line, followed by the lines of a traceback."""

    def __init__(self, inner):
        super().__init__()
        self._inner = inner

    def format(self, record):
        plain = logging.LogRecord.__new__(logging.LogRecord)  # makeLogRecord first computes what it overwrites
        plain.__dict__.update(record.__dict__)
        text = self._inner.format(plain)
        head, behind = text, ""
        if plain.exc_text and text.endswith(plain.exc_text):
            head, behind = text.removesuffix(plain.exc_text).removesuffix("\n"), plain.exc_text
        lines = [head, *behind.split("\n")] if behind else [head]
        return mask("\n".join(map(on_one_line, lines)))


def install() -> None:
    """Mask secrets in all log output. Call it after logging is set up."""
    for handler in logging.getLogger().handlers:
        inner = handler.formatter
        if isinstance(inner, formatters.JSONFormatter):
            handler.setFormatter(_Json(datefmt=inner.datefmt))
        else:
            handler.setFormatter(_Text(inner))
