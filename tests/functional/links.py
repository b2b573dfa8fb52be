"""A service on a host whose storage link and addresses change; it prints what it detects, line by line.

Runs in a separate network namespace, because it creates the link: `unshare --net python -m tests.functional.links`.
"""

import contextlib
import subprocess

from cinder_lite import concurrency

concurrency.patch()

from cinder_lite.volume.targets.tgtd import TgtDaemon  # noqa: E402
from tests.functional.client import Client  # noqa: E402
from tests.functional.service import Service, until  # noqa: E402

CONNECTOR = {"host": "here", "ip": "10.1.0.2", "initiator": "iqn.1993-08.org.debian:01:here"}
#: It measures once an hour: what is seen earlier was reported.
SECTION = """
[file-1]
volume_driver = file
file_volume_dir = {state}/volumes
backend_stats_polling_interval = 3600
target_ip_address = eth1
target_secondary_ip_addresses = eth2
target_port = {target_port}
tgt_control_port = {control_port}
"""


def ip(words):
    subprocess.run(["ip", *words.split()], check=True)


@contextlib.contextmanager
def serving():
    for command in ("link set lo up", "link add eth1 type veth peer name far1", "addr add 10.1.0.1/24 dev eth1",
                    "link add eth2 type veth peer name far2", "addr add 10.2.0.1/24 dev eth2",
                    "link set far1 up", "link set eth1 up", "link set far2 up"):
        ip(command)
    service = Service(target=False, default="scheduler_wait_for_backends = 1", sections={"file-1": SECTION})
    service.tgtd = TgtDaemon(f"0.0.0.0:{service.target_port}", service.target_port)
    with service:
        yield service


def becomes(api, state):
    """Wait until the backend is that."""
    until(lambda: state in [one.get("backend_state") for one in api("GET", "/os-services", expect=200)["services"]],
          f"a backend that is {state}")
    print(state)


def why_not(api):
    """Return the reason why a volume cannot be created."""
    id = api.create("volumes", size=1)["id"]
    until(lambda: api("GET", f"/volumes/{id}", expect=200)["volume"]["status"] == "error", "the volume's error")
    return str(api.why(id))


def portals(api, volume, service):
    """Return the portals in the connection information."""
    made = api("POST", "/attachments", {"attachment": {"volume_uuid": volume, "connector": CONNECTOR}}, expect=200)
    data = made["attachment"]["connection_info"]
    api("DELETE", f"/attachments/{made['attachment']['id']}", expect=200)
    found = data.get("target_portals", [data["target_portal"]])
    return " ".join(portal.removesuffix(f":{service.target_port}") for portal in found)


def main():
    with serving() as service:
        api = Client(service.url)
        becomes(api, "up")
        volume = api.made("volumes", size=1)["id"]
        print(portals(api, volume, service))
        ip("link set eth2 up")
        until(lambda: portals(api, volume, service) == "10.1.0.1 10.2.0.1", "the second portal")
        ip("link set far1 down")
        until(lambda: portals(api, volume, service) == "10.2.0.1", "the first portal to go")
        ip("addr del 10.2.0.1/24 dev eth2")
        becomes(api, "down")
        print("link eth1 has no carrier; link eth2 has no address" in why_not(api))
        ip("link set far1 up")
        becomes(api, "up")
        ip("addr add 10.3.0.9/24 dev eth1")
        ip("addr del 10.1.0.1/24 dev eth1")
        print(portals(api, volume, service))


if __name__ == "__main__":
    main()
