"""Import of a Cinder 29 on volume groups, thin and thick, filled through its own API: same ids, same bytes, usable."""

import random

import pytest

from tests.functional.service import Service, until
from tests.functional.test_administrators import sound
from tests.services import servers
from tests.storage import lvm
from tests.storage.real_cinder import ON_LVM, PROJECT, CinderOnLvm, Project
from tests.storage.test_adopting_ceph import counts, said, shown

MIB = 1024**2
DATA = random.Random(31).randbytes(3 * MIB)
PLACES = (0, 400 * MIB + 4096, 1024 * MIB - len(DATA))
#: What Cinder calls the kinds of volumes, and these tests their types.
KINDS = ("thin", "default")


def path(groups, kind, id):
    return f"/dev/{groups[kind]}/volume-{id}"


def fill(groups, kind, id, data):
    with open(path(groups, kind, id), "r+b", buffering=0) as disk:
        for place in PLACES:
            disk.seek(place)
            disk.write(data)


def holds(groups, kind, id, data):
    with open(path(groups, kind, id), "rb", buffering=0) as disk:
        return all(disk.seek(place) == place and disk.read(len(data)) == data for place in PLACES)


def filled(cinder, groups):
    """What Cinder's API made, {kind: {name: id}}, and what it shows of it."""
    a, made = Project(cinder.url, PROJECT), {}
    for kind in KINDS:
        a("POST", "/types", {"volume_type": {"name": kind, "extra_specs": {"volume_backend_name": kind}}})
        volume = a.made("volumes", size=1, volume_type=kind, metadata={"of": kind})["id"]
        fill(groups, kind, volume, DATA)
        snapshot = a.made("snapshots", volume_id=volume)["id"]
        fill(groups, kind, volume, DATA[::-1])
        made[kind] = {
            "volume": volume, "snapshot": snapshot, "clone": a.made("volumes", size=1, source_volid=volume)["id"],
            "former": a.made("volumes", size=1, snapshot_id=snapshot)["id"]}
    return made, shown(a)


@pytest.fixture(scope="module")
def taken():
    """(what Cinder made, what it showed, the service that took it over, the volume groups)."""
    with lvm.group(0) as thin, lvm.group(1) as thick, servers.PostgreSQL() as database, servers.RabbitMQ() as broker:
        groups = dict(zip(KINDS, (thin, thick), strict=True))
        servers.started(database, broker)
        with CinderOnLvm(groups, database.cinder_url, broker.url) as cinder:
            made, before = filled(cinder.start(), groups)
            cinder.stop()
            sections = {kind: ON_LVM.format(name=kind, group=group) + "target_port = {target_port}\n"
                        "tgt_control_port = {control_port}\n" for kind, group in groups.items()}
            service = Service(backends=KINDS, host="ctl1", sections=sections,
                              default="job_sweep_interval = 1\nbackend_stats_polling_interval = 2")
            status, lines = said(service, "import-cinder", "--from", cinder.config_file)
            assert status == 0, lines
            assert {kind: row[0] for kind, row in counts(lines).items() if kind in ("volumes", "snapshots")} == {
                "volumes": 6, "snapshots": 2}
            with service:
                yield made, before, service, groups


def test_what_the_api_shows_is_the_same(taken):
    _, before, service, _ = taken
    now = shown(Project(service.url, PROJECT))
    for kind, rows in before.items():
        assert now[kind] == rows, kind


@pytest.mark.parametrize("kind", KINDS)
def test_all_goes_on_and_nothing_is_left(taken, kind):
    made, _, service, groups = taken
    a, ids = Project(service.url, PROJECT), made[kind]
    for name, data in (("volume", DATA[::-1]), ("clone", DATA[::-1]), ("former", DATA)):
        assert holds(groups, kind, ids[name], data), name
    again = a.made("volumes", size=1, snapshot_id=ids["snapshot"])["id"]
    assert holds(groups, kind, again, DATA)
    a("POST", f"/volumes/{ids['volume']}/action", {"revert": {"snapshot_id": ids["snapshot"]}}, 202)
    a.settled("volumes", ids["volume"])
    assert holds(groups, kind, ids["volume"], DATA)
    a("POST", f"/volumes/{ids['clone']}/action", {"os-extend": {"new_size": 2}}, 202)
    assert until(lambda: a("GET", f"/volumes/{ids['clone']}")["volume"]["size"] == 2, "the larger size")
    a.settled("volumes", ids["clone"])
    sound(service, a)
    a.gone("snapshots", ids["snapshot"])
    for id in (ids["volume"], ids["clone"], ids["former"], again):
        a.gone("volumes", id)
    sound(service, a)
    assert [name for name in lvm.lvs(groups[kind]) if "volume-" in name or "_snapshot-" in name] == []
