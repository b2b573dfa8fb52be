"""Secrets are masked in log lines, in text and JSON."""

import json
import logging
import sys

import pytest
from oslo_config import cfg
from oslo_log import formatters, log

from cinder_lite.observe import log_masking

CEPH = "AQ" + "D7r+/9" * 6 + "AA=="
TOKEN = "gAAAAA" + "Bx_-9Zq4" * 20
LINES = {
    "a CHAP secret in a connection": ("connection {'auth_username': 'u', 'auth_password': 'S3cret'}", "S3cret"),
    "the same in JSON": ('{"auth_password": "S3cret", "target_lun": 1}', "S3cret"),
    "a command": ("'tgtadm --op new --mode account --user u --password S3cret'", "S3cret"),
    "a command in a list": ("['tgtadm', '--user', 'u', '--password', 'S3cret', '--lld', 'iscsi']", "S3cret"),
    "a keyring": (f"[client.cinder]\n\tkey = {CEPH}\n", CEPH),
    "a token": (f"GET /v3 with {TOKEN}", TOKEN),
    "a header": ("{'X-Auth-Token': 'S3cret', 'Accept': '*/*'}", "S3cret"),
    "a header as curl has it": ("-H X-Service-Token: S3cret", "S3cret"),
    "a name and a password": ("Authorization: Basic S3cret==", "S3cret"),
    "the database": ("cannot connect to mysql+pymysql://cinder:S3cret@db/cinder", "S3cret"),
    "the broker": ("rabbit://cinder:S3cret@one:5672,cinder:S3cret@two:5672//", "S3cret"),
    "what is kept of an export": ("Export(location='127.0.0.1:3260,1 iqn 1', auth='CHAP user S3cret')", "S3cret"),
    "the key of encrypted volumes": ("fixed_key = S3cret", "S3cret"),
}
PLAIN = ("POST /v3/a1/volumes 202 850 bytes 12.3 ms", "create of volume-1 on host@lvm done in 3.1 ms",
         "'lvm lvcreate -y -V 1073741824b --thinpool pool -n volume-1 v' ended with status 0 after 200 ms",
         "backend h@rbd is up: http://127.0.0.1:8776/v3/ as h@rbd#pool")


def logged(inner, text, *arguments, error=None):
    """Return the output of a handler for a line."""
    handler = logging.StreamHandler()
    handler.setFormatter(inner)
    root = logging.getLogger()
    present, root.handlers = root.handlers, [handler]
    try:
        log_masking.install()
        record = logging.LogRecord("test", logging.ERROR, __file__, 1, text, arguments, error)
        return handler.format(record)
    finally:
        root.handlers = present


@pytest.mark.parametrize("what", LINES)
def test_a_secret_is_masked(what):
    line, secret = LINES[what]
    assert secret not in log_masking.mask(line)
    assert log_masking.MASK in log_masking.mask(line)


@pytest.mark.parametrize("line", PLAIN)
def test_other_text_is_unchanged(line):
    assert log_masking.mask(line) == line


@pytest.mark.parametrize("inner", [logging.Formatter(), formatters.JSONFormatter()], ids=["text", "json"])
@pytest.mark.parametrize("what", LINES)
def test_arguments_and_tracebacks_contain_no_secrets(inner, what):
    line, secret = LINES[what]
    try:
        raise ValueError(line)
    except ValueError:
        found = logged(inner, "it was %s", line, error=sys.exc_info())
    assert "Traceback" in found and secret not in found


def test_masked_json_is_valid_json():
    try:
        raise KeyError('password=S3cret"\n\\')
    except KeyError:
        found = json.loads(logged(formatters.JSONFormatter(), 'token="S3cret\\"', error=sys.exc_info()))
    assert found["args"] is None and "S3cret" not in json.dumps(found)
    assert found["levelname"] == "ERROR" and found["traceback"].startswith("Traceback")


def oslo():
    """oslo.log's formatter, with the message alone."""
    conf = cfg.ConfigOpts()
    log.register_options(conf)
    conf([])
    conf.set_override("logging_default_format_string", "%(message)s")
    conf.set_override("logging_context_format_string", "%(message)s")
    return formatters.ContextFormatter(config=conf)


@pytest.mark.parametrize("evil", ["\n", "\r\n", "\r", "\x0b", "\x0c", "\x1b[2K", "\x85", "\u2028", "\u2029", "\u202e",
                                  "\x00", "\x7f",
                                  "\ud800"])
@pytest.mark.parametrize("inner", [logging.Formatter("%(message)s"), oslo()], ids=["plain", "oslo"])
def test_input_of_clients_stays_on_one_line(inner, evil):
    found = logged(inner, "GET %s 404", f"/v3/x{evil}2026-01-01 INFO root logged in")
    assert evil not in found and len(found.splitlines()) == 1
    assert found.startswith("GET /v3/x") and found.endswith("2026-01-01 INFO root logged in 404")


@pytest.mark.parametrize("inner", [logging.Formatter("%(message)s"), oslo()], ids=["plain", "oslo"])
def test_a_traceback_keeps_its_lines(inner):
    try:
        raise ValueError("bad \r\x1b[2K thing")
    except ValueError:
        found = logged(inner, "it\nfailed", error=sys.exc_info()).split("\n")
    assert found[0].startswith("it\\nfailed") and "Traceback" in found[1] and len(found) > 3
    assert "\x1b" not in "".join(found) and "\r" not in "".join(found)
