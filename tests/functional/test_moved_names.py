"""A migrated volume gets its own name on the backend, so that it can be managed again by that name."""

import os
import signal

import pytest

from tests.functional.killable import Killable
from tests.functional.service import Service, until
from tests.functional.test_moves import WHOLE, act, clean, client, content, files, filled, gate, moved, service, types  # noqa: F401

# ruff: noqa: F811
#: Backends with gates whose volumes need no daemon to be exported.
GATED = """
[{name}]
volume_driver = tests.functional.gated.GatedDriver
file_volume_dir = {{state}}/{name}
target_helper = nbd
"""


@pytest.mark.parametrize("how", ["migrate", "retype"])
def test_a_moved_volume_has_its_own_name_by_which_it_can_be_managed_again(service, client, types, how):
    id = filled(service, client, free=how == "migrate")
    if how == "migrate":
        act(client, id, "os-migrate_volume", {"host": "test@two#two"})
    else:
        act(client, id, "os-retype", {"new_type": "two", "migration_policy": "on-demand"})
    volume = moved(client, id)
    assert volume["os-vol-mig-status-attr:name_id"] is None and volume["os-vol-host-attr:host"] == "test@two#two"
    assert files(service, "two") == [f"volume-{id}"] and files(service, "one") == []
    act(client, id, "os-unmanage", {})
    client.gone("volumes", id)
    body = {"host": "test@two#two", "ref": {"source-name": f"volume-{id}"}, "volume_type": "two"}
    again = client("POST", "/manageable_volumes", {"volume": body}, expect=202)["volume"]["id"]
    client.settled("volumes", again)
    assert content(service, "two", f"volume-{again}") == WHOLE
    clean(service, client, again)


def test_a_name_in_use_is_not_given(service, client, types):
    """As where two backends share a directory, volume group or pool."""
    id = filled(service, client, free=True)
    taken = os.path.join(service.state, "two", f"volume-{id}")
    with open(taken, "w") as file:
        file.write("of somebody")
    act(client, id, "os-migrate_volume", {"host": "test@two#two"})
    volume = moved(client, id)
    name = f"volume-{volume['os-vol-mig-status-attr:name_id']}"
    assert name != f"volume-{id}" and content(service, "two", name) == WHOLE
    with open(taken) as file:
        assert file.read() == "of somebody"
    os.remove(taken)
    clean(service, client, id)


def test_a_rename_that_fails_leaves_the_volume_usable(service, client, types, gate):
    id = filled(service, client, free=True)
    gate("fail-manage", "two")
    act(client, id, "os-migrate_volume", {"host": "test@two#two"})
    volume = moved(client, id)
    assert content(service, "two", f"volume-{volume['os-vol-mig-status-attr:name_id']}") == WHOLE
    clean(service, client, id)


@pytest.mark.parametrize("force", [False, True])
def test_a_migration_that_is_ended_while_the_volume_is_renamed(service, client, types, gate, force):
    """Whoever ends it finds the volume under the name that its row has."""
    id = filled(service, client, free=True)
    opens = gate("hold-manage", "two")
    act(client, id, "os-migrate_volume", {"host": "test@two#two"})
    until(lambda: client("GET", f"/volumes/{id}", expect=200)["volume"]["os-vol-host-attr:host"] == "test@two#two",
          "the move")
    until(lambda: os.path.exists(os.path.join(service.state, "two", ".at-manage")), "the rename")
    if force:
        act(client, id, "os-force_delete", {})
    else:
        act(client, id, "os-reset_status", {"status": "available"})
    opens()
    if force:
        client.gone("volumes", id)
        until(lambda: files(service, "two") == [], "it to be removed")
        return clean(service, client)
    name = f"volume-{client('GET', f'/volumes/{id}', expect=200)['volume']['os-vol-mig-status-attr:name_id']}"
    until(lambda: files(service, "two") == [name], "it to have its name again")
    assert content(service, "two", name) == WHOLE
    return clean(service, client, id)


@pytest.mark.parametrize("renamed", [False, True])
def test_a_kill_while_the_volume_is_renamed(renamed):
    """Before the volume has its name, and when its row does not have it yet."""
    sections = {name: GATED.format(name=name) for name in ("one", "two")}
    configured = Service(backends=("one", "two"), sections=sections, target=False,
                         default="job_sweep_interval = 0.2\njob_lease = 3")
    with Killable(configured) as service:
        client = service.client
        for name in ("one", "two"):
            client("POST", "/types", {"volume_type": {"name": name, "extra_specs": {"volume_backend_name": name}}},
                   expect=200)
        id = filled(service, client)
        gates = os.path.join(service.state, "two", ".hold-managed" if renamed else ".hold-manage")
        with open(gates, "w"):
            pass
        act(client, id, "os-retype", {"new_type": "two", "migration_policy": "on-demand"})
        until(lambda: os.path.exists(os.path.join(service.state, "two", f".at-manage{'d' if renamed else ''}")),
              "the rename")
        service.process.send(signal.SIGKILL)
        service.process.wait_end()
        os.remove(gates)
        service.start()
        volume = moved(client, id)
        assert volume["os-vol-mig-status-attr:name_id"] is None and volume["volume_type"] == "two"
        assert content(service, "two", f"volume-{id}") == WHOLE
        assert files(service, "two") == [f"volume-{id}"] and files(service, "one") == []
