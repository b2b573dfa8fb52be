"""The world from which all runs of a process begin: services that are up, types, and every request made once.

A run is a fork of it, so that what is imported, compiled and cached is paid once. It has no faults, and what its client
made is gone before the runs begin.
"""

import os
import random

from cinder_lite.db import migrate
from cinder_lite.service import process
from cinder_lite.service.interfaces import INTERFACES
from cinder_lite.volume.drivers.nfs import MARK
from tests.simulation import (
    admin_requests,
    clients,
    contents,
    faults,
    group_requests,
    histories,
    images,
    rules,
    servers,
    storage,
    timers,
    world,
)
from tests.simulation.site import BACKENDS, CLUSTERS, Site, configured

#: (table, method and path for a row, body): what ends the resources of the client, in this order.
ENDS = (
    ("attachments", "DELETE /attachments/{id}", None),
    ("transfers", "DELETE /volume-transfers/{id}", None),
    ("group_snapshots", "DELETE /group_snapshots/{id}", None),
    ("backups", "POST /backups/{id}/action", {"os-force_delete": {}}),
    ("snapshots", "POST /snapshots/{id}/action", {"os-force_delete": {}}),
    ("volume_groups", "POST /groups/{id}/action", {"delete": {"delete-volumes": True}}),
    ("volumes", "POST /volumes/{id}/action", {"os-force_delete": {}}))
#: How often they are tried: some wait for others.
ROUNDS = 6


def sync(top):
    """Create the database of a directory."""
    shared = process.Process(configured(top, "h1"), INTERFACES)
    migrate.sync(shared.db)
    shared.db.dispose()


def begin(top, requests):
    """The installation in a directory after the requests. Raises AssertionError."""
    here = world.World("beginning")
    here.install()
    sync(top)
    storage.install(here)
    images.install(here)
    site = Site(here, top)
    servers.install(site)
    faults.mark_work()
    timers.install()
    site.start_all()
    names = {name for host in BACKENDS for name in BACKENDS[host]}
    here.wait_until(lambda: len(site.rows("SELECT 1 FROM pools")) == len(names), "the backends")
    client = clients.Client(site, "first client", clients.PROJECTS[0], random.Random(0), 0, 0, None, ())
    _make_types(site, client)
    site.contents = contents.Contents(site)
    site.contents.images(here.images)
    site.histories = histories.Histories(site)
    site.server.committed = lambda tables: "jobs" in tables and site.histories.advance()
    for request in dict.fromkeys(requests):
        request(client)
        here.sleep(20)
    _end_all(site, client)
    site.contents.advance()
    site.histories.advance()
    for backend in names:
        for name in set(os.listdir(site.directory(backend))) - {MARK}:
            os.remove(os.path.join(site.directory(backend), name))
    site.unmanaged.clear()
    client.send("DELETE", f"/os-quota-sets/{client.project}")
    rules.changed(site, set(rules.TABLES.values()) | {"jobs"})
    return site


def _make_types(site, client):
    admin_requests.TYPES.update((f"of-{name}", name) for name in CLUSTERS)
    for name, backend in admin_requests.TYPES.items():
        site.create_type(client.send, name, backend)
    _, document = client.send("POST", "/group_types", {"group_type": {
        "name": group_requests.GROUP_TYPE, "group_specs": {"consistent_group_snapshot_enabled": "<is> False"}}})
    site.ids[group_requests.GROUP_TYPE] = document["group_type"]["id"]


def _end_all(site, client):
    here = site.world
    for _ in range(ROUNDS):
        for table, request, body in ENDS:
            for row in site.rows(f"SELECT id FROM {table} ORDER BY created_at DESC, id"):
                method, _, path = request.format(id=row["id"]).partition(" ")
                client.send(method, path, body)
            here.sleep(5)
        here.wait_until(lambda: not rules.unsettled(site), "the end of the first requests")
    left = [(table, row["id"]) for table, _, _ in ENDS for row in site.rows(f"SELECT id FROM {table}")]
    assert not left, f"the first requests left {left}"
