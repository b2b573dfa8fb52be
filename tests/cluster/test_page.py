"""The commands of docs/ha.md, each typed on the machine that it is for."""

import shlex

import pytest

from tests.cluster import broker, page
from tests.functional import test_docs
from tests.services import daemons

#: How a command begins -> the tier of its machine.
WHERE = {"rabbitmqctl": "broker", "mariadb": "database", "haproxy": "balancer", "keepalived": "balancer",
         "tools/install": "host", "cinder-lite-manage": "host"}
#: Commands that the cluster was built with, or that need the loss of a majority (test_majority.py).
ELSEWHERE = ("mariadb -e \"CREATE", "mariadb -e \"GRANT", "mariadb -e \"SET GLOBAL wsrep_provider")


@pytest.mark.parametrize("command", [one for one in page.commands(*WHERE) if not one.startswith(ELSEWHERE)])
def test_a_command_of_the_page(whole, command):
    machine = whole.members[WHERE[command.split()[0]]][0]
    word, *words = shlex.split(command.replace("/etc/cinder-", "/etc/").replace("/etc/haproxy/", "/etc/").replace(
        "/etc/keepalived/", "/etc/").replace("/etc/", machine.path("")))
    if word == "cinder-lite-manage":
        whole.hosts.manage(*words)
    elif word == "tools/install":
        said = machine.run(f"{daemons.TOP}/{word}", "--dry-run", *words)
        assert "RabbitMQ" not in said and "would enable and start cinder-lite.target" in said
    else:
        # Debian's wrapper becomes a user who has no access to the node of a test.
        said = machine.run(f"{broker.PROGRAMS}/{word}" if word == "rabbitmqctl" else word, *words)
        assert word != "rabbitmqctl" or all(f"rabbit@{one.address}" in said for one in whole.members["broker"])
        assert "wsrep_cluster_size" not in command or said.split()[-1] == "3"


def test_every_command_of_the_page_is_typed():
    """The others are by the tests of a majority and of a PostgreSQL with a standby."""
    assert [*test_docs.commands(page.PAGE)] == page.commands(*WHERE, "psql")


@pytest.fixture
def checked(whole):
    """What config check prints for the settings of a host with a part of their text replaced."""
    def checked(old, new):
        machine = whole.members["host"][0]
        with open(machine.path("cinder.conf")) as file:
            text = file.read()
        assert old in text
        changed = machine.directory.make("changed.conf", text.replace(old, new))
        return machine.run("sh", "-c", f"'{whole.hosts.python}' -m cinder_lite.cmd.manage --config-file '{changed}' "
                           "config check || test $? = 1")
    return checked


@pytest.mark.parametrize("old, new, said", [
    ("rabbit_quorum_queue = true", "", "[oslo_messaging_rabbit] rabbit_quorum_queue: transport_url names several"),
    ("&read_timeout=15", "", "a statement whose node of Galera is lost waits for it for a quarter of an hour"),
    ("@10.91.0.100/", "@10.91.0.22/", "the URL names one node of Galera, and services on other nodes see its changes")])
def test_config_check_finds_what_does_not_suit_a_cluster(checked, old, new, said):
    found = checked(old, new)
    assert said in found and found.endswith("1 problem.\n"), found
