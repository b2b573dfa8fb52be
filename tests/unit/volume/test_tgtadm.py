"""Parsing of the output of tgtadm."""

from cinder_lite.volume.targets import tgtadm

SHOWN = """Target 1: iqn.2010-10.org.openstack:volume-a
    System information:
        Driver: iscsi
        State: ready
    I_T nexus information:
        I_T nexus: 9
            Initiator: iqn.2010-11.libiscsi:iscsi-perf alias: none
            Connection: 0
                IP Address: 127.0.0.1
    LUN information:
        LUN: 0
            Type: controller
            SCSI ID: IET     00010000
            Online: Yes
            Readonly: No
            Backing store path: None
            Backing store flags:
        LUN: 1
            Type: disk
            Online: Yes
            Readonly: Yes
            Backing store type: rdwr
            Backing store path: /srv/with a space/volume-a
            Backing store flags:
    Account information:
        user
    ACL information:
        ALL
Target 12: iqn.2010-10.org.openstack:volume-ab
    System information:
        Driver: iscsi
        State: ready
    I_T nexus information:
    LUN information:
        LUN: 0
            Type: controller
            Online: Yes
            Backing store path: None
    Account information:
    ACL information:
"""


def test_targets_have_names_and_numbers():
    assert tgtadm.targets(SHOWN) == {"iqn.2010-10.org.openstack:volume-a": 1, "iqn.2010-10.org.openstack:volume-ab": 12}
    assert tgtadm.targets("") == {}


def test_a_complete_target():
    iqn = "iqn.2010-10.org.openstack:volume-a"
    assert tgtadm.target(SHOWN, iqn) == tgtadm.Shown(
        1, iqn, path="/srv/with a space/volume-a", online=True, read_only=True, in_use=True, accounts=("user",),
        allowed=("ALL",))


def test_an_incomplete_target():
    iqn = "iqn.2010-10.org.openstack:volume-ab"
    assert tgtadm.target(SHOWN, iqn) == tgtadm.Shown(12, iqn)


def test_a_target_that_is_not_there():
    assert tgtadm.target(SHOWN, "iqn.2010-10.org.openstack:volume") is None


def test_connections_belong_to_sessions():
    text = ("Session: 9\n    Connection: 0\n        Initiator: iqn.x\n        IP Address: 127.0.0.1\n"
            "    Connection: 1\n        Initiator: iqn.x\nSession: 4\n    Connection: 0\n")
    assert tgtadm.connections(text) == [("9", "0"), ("9", "1"), ("4", "0")]


def test_portals_are_addresses_and_ports():
    assert tgtadm.portals("Portal: [::1]:33002,1\nPortal: 0.0.0.0:3260,1\n") == {"[::1]:33002", "0.0.0.0:3260"}


def test_command_descriptions_contain_no_secret():
    arguments = tgtadm.new_account("user", "hidden")
    assert tgtadm.described(arguments) == "new account"
    assert "hidden" in arguments
