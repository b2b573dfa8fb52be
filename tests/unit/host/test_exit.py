"""A process that cannot work ends with one line and a status that the service manager understands."""

import os

import pytest

from cinder_lite import errors
from cinder_lite.host import exit


def test_fatal_prints_one_line(capsys):
    with pytest.raises(SystemExit) as ended:
        exit.fatal("the disk is full")
    assert (ended.value.code, capsys.readouterr().err) == (os.EX_CONFIG, "the disk is full\n")


def test_a_wrong_setting_is_printed_in_one_line(capsys):
    with pytest.raises(SystemExit) as ended, exit.on_misconfiguration():
        raise errors.Misconfigured("[x] y:\n  there is no 'z'")
    assert (ended.value.code, capsys.readouterr().err) == (os.EX_CONFIG, "cannot start: [x] y: there is no 'z'\n")


def test_other_errors_pass():
    with pytest.raises(KeyError), exit.on_misconfiguration():
        raise KeyError("z")
