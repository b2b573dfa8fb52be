"""Isolation of a host that attaches by os-brick and open-iscsi: its device is cut, and it cannot log in again."""

import pytest

from tests.functional.isolated import DAEMON, ENDS, SERVICE
from tests.functional.service import until
from tests.functional.test_connections import ONE, initialized
from tests.functional.test_isolation import ended, name_of  # noqa: F401
from tests.storage.lab.test_lio_isolation import LioSite
from tests.storage.lab3.test_attaching import PORTAL, Attaching, log_in, on

#: The initiator tries a login once, for some seconds.
SETTINGS = f"""
    echo InitiatorName={ONE['initiator']} >/etc/iscsi/initiatorname.iscsi
    echo node.session.initial_login_retry_max = 1 >>/etc/iscsi/iscsid.conf
    echo node.conn[0].timeo.login_timeout = 3 >>/etc/iscsi/iscsid.conf
"""
#: What waits for a session that is over fails after 3 seconds.
IMPATIENT = "for one in /sys/class/iscsi_session/*/recovery_tmo; do echo 3 >$one; done"


@pytest.fixture(scope="module")
def site():
    with LioSite(options=f"target_ip_address = {PORTAL}\n") as running:
        yield running


@pytest.fixture(scope="module")
def host():
    on(2, "sh", "-ec", SETTINGS)
    made = Attaching(2)
    assert made.connector["initiator"] == ONE["initiator"]
    yield made
    made.end()


class Device:
    """A connected volume as a device of the host."""

    def __init__(self, host, info):
        self.host, self.info = host, {**info, "driver_volume_type": "iscsi"}
        self.path = host.brick("connect", self.info)["path"]
        host.run(IMPATIENT)

    def reaches(self):
        """Whether the host reads and writes; one alone is neither."""
        found = self.host.run(f"""
            dd if={self.path} of=/dev/null bs=4096 count=1 iflag=direct 2>/dev/null && echo done || echo failed
            dd if=/dev/zero of={self.path} bs=4096 count=1 oflag=direct 2>/dev/null && echo done || echo failed
        """).split()
        assert len(set(found)) == 1, found
        return found[0] == "done"

    def end(self):
        self.host.brick("force", self.info)


@pytest.fixture(scope="module")
def other(site, host):
    """A device of the same host whose access nobody ends."""
    id = site.client.made("volumes", size=1, volume_type="lio-1")["id"]
    made = Device(host, initialized(site.client, id))
    yield made
    made.end()


@pytest.mark.parametrize("end", ENDS, ids=name_of)
def test_the_device_of_who_has_lost_access_is_cut(site, host, other, end):
    id, info = end.connected(site, "lio")
    device = Device(host, info)
    try:
        assert device.reaches()
        end.end(site, id)
        assert not device.reaches()
    finally:
        device.end()
    assert log_in(host, info, info["auth_password"]) != 0
    assert other.reaches()


def test_no_restart_brings_access_back_and_devices_in_use_go_on(site, host, other, ended):  # noqa: F811
    site.restart(SERVICE, DAEMON)
    until(other.reaches, "the session to be back")
    for _, info in ended.values():
        assert log_in(host, info, info["auth_password"]) != 0
    later = site.client.made("volumes", size=1, volume_type="lio-1")["id"]
    info = initialized(site.client, later)
    assert log_in(host, info, info["auth_password"]) == 0
