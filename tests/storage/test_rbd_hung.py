"""A service whose Ceph hangs: others are not delayed, requests fail with the reason, and the service recovers."""

from tests.functional.client import Client
from tests.functional.service import until
from tests.functional.test_administrators import sound
from tests.storage.test_rbd_driver import nothing_left
from tests.storage.test_rbd_service import running, show, with_types


def test_a_hung_cluster_holds_up_nobody_else(pool):
    with running(pool, patience=600) as service:
        client = with_types(Client(service.url))
        pool.hang(pool.osd)
        try:
            waiting = [client.create("volumes", size=1, volume_type="rbd-1")["id"] for _ in range(30)]
            for _ in range(5):
                volume = client.made("volumes", size=1, volume_type="file-1")
                client("DELETE", f"/volumes/{volume['id']}", expect=202)
                client.gone("volumes", volume["id"])
            assert all(show(client, id)["status"] == "creating" for id in waiting)
        finally:
            pool.go_on(pool.osd)
        for id in waiting:
            client.settled("volumes", id)
            client("DELETE", f"/volumes/{id}", expect=202)
        for id in waiting:
            client.gone("volumes", id)
        sound(service, client)
        nothing_left(pool)


def test_in_a_hung_cluster_requests_end_with_the_reason_and_the_backend_is_down(pool):
    with running(pool, patience=5) as service:
        client = with_types(Client(service.url))
        volume = client.made("volumes", size=1, volume_type="rbd-1")
        pool.hang(pool.osd)
        try:
            failed = client.create("snapshots", volume_id=volume["id"])["id"]
            until(lambda: client("GET", f"/snapshots/{failed}", expect=200)["snapshot"]["status"] == "error",
                  "the snapshot to fail")
            assert "does not answer" in client.why(failed)[0][2]

            def state():
                found = client("GET", "/os-services?binary=cinder-volume", expect=200)["services"]
                return {one["host"]: one["backend_state"] for one in found}

            until(lambda: state() == {"test@rbd-1": "down", "test@file-1": "up"}, "the backend to be down")
        finally:
            pool.go_on(pool.osd)
        until(lambda: state() == {"test@rbd-1": "up", "test@file-1": "up"}, "the backend to be up again")
        client("DELETE", f"/snapshots/{failed}", expect=202)
        client.gone("snapshots", failed)
        client("DELETE", f"/volumes/{volume['id']}", expect=202)
        client.gone("volumes", volume["id"])
        sound(service, client)
        nothing_left(pool)
