"""`config check` and `doctor` report limits of volume types that a backend does not apply."""

import uuid

import pytest

from cinder_lite.cmd import manage
from cinder_lite.db import qos, types
from cinder_lite.doctor import Doctor
from tests.functional.installation import BACKEND, POOL

NAME = "QoS specs are not applied"


@pytest.fixture
def check(here, capsys):
    """Return the output of `config check` about types."""
    def check():
        with open(here.conf_file) as file:
            text = file.read().replace("[file-1]", "[file-1]\ntarget_helper = nbd")
        with open(f"{here.conf_file}.right", "w") as file:
            file.write(text)
        status = manage.main(["config", "check", "--config-file", file.name])
        lines = [line for line in capsys.readouterr().out.splitlines() if "volume type" in line]
        assert status == (1 if lines else 0)
        return lines
    return check


def limited(here, consumer, **extra_specs):
    """The name of a new type with a QoS spec."""
    name = f"t-{uuid.uuid4()}"
    with here.db.write() as tx:
        type_id = types.create(tx, name, None, True, extra_specs)
        qos.associate(tx, qos.create(tx, f"q-{name}", consumer, {"total_iops_sec": "5"}), type_id)
    return name


def found(here):
    return [finding for finding in Doctor(here.db, here.conf, pause=0).examine().violations
            if finding.invariant == NAME]


@pytest.mark.parametrize(("consumer", "extra_specs", "reported"), [
    ("back-end", {}, True), ("both", {}, True), ("front-end", {}, False),
    ("back-end", {"volume_backend_name": "file-1"}, True), ("both", {"volume_backend_name": "elsewhere"}, False),
    ("back-end", {"QoS_support": "<is> True"}, False)])
def test_a_type_with_unapplied_limits_is_reported(here, check, consumer, extra_specs, reported):
    name = limited(here, consumer, **extra_specs)
    lines, findings = check(), found(here)
    assert [len(lines), len(findings)] == [reported, reported]
    for text in (*lines, *(f"{one.text}: {one.remedy}" for one in findings)):
        assert f"QoS spec q-{name} of volume type {name} has the consumer {consumer}" in text
        assert f"{BACKEND} applies no QoS specs" in text and POOL in text and "front-end" in text
    assert all(one.repair is None for one in findings)


def test_a_backend_that_applies_them_is_not_named(here):
    limited(here, "both")
    with here.db.write() as tx:
        tx.exec_driver_sql("UPDATE pools SET capabilities = '{\"QoS_support\": true}'")
    assert found(here) == []


def test_types_without_limits_are_not_reported_and_no_database_is_needed(here, check):
    assert check() == [] == found(here)
    with here.db.write() as tx:
        types.create(tx, "plain", None, True, {})
        qos.create(tx, "alone", "both", {"total_iops_sec": "5"})
    assert check() == [] == found(here)
