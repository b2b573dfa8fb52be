"""A RabbitMQ of three nodes."""

import json
import os

import amqp

from tests.cluster import network, page
from tests.services import processes

USER, PASSWORD = "cinder", "SECRET"
PROGRAMS = "/usr/lib/rabbitmq/bin"
#: To the settings of the page: logs, and little space on the disk is enough.
ADDED = """disk_free_limit.absolute = 50MB
log.file = false
log.console = true
log.console.level = warning
"""


class Broker:
    """RabbitMQ on these machines."""

    def __init__(self, machines):
        self.machines = machines
        for machine in machines:
            self._prepare(machine)

    def _prepare(self, machine):
        directory = machine.directory
        os.chmod(directory.make(".erlang.cookie", "cluster"), 0o400)
        config = directory.make("rabbitmq.conf", page.file("/etc/rabbitmq/rabbitmq.conf", {
            "listeners.tcp.1": f"{machine.address}:5672"}) + ADDED)
        machine.env |= {
            "HOME": directory.path, "RABBITMQ_USE_LONGNAME": "true", "RABBITMQ_CONFIG_FILE": config,
            "RABBITMQ_NODENAME": f"rabbit@{machine.address}", "RABBITMQ_CONF_ENV_FILE": "/dev/null",
            "RABBITMQ_ENABLED_PLUGINS_FILE": directory.make("plugins", "[].\n"),
            "RABBITMQ_MNESIA_BASE": directory.make("data"), "RABBITMQ_LOG_BASE": directory.make("logs"),
            # Two processors serve all the nodes.
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 1:1 +sbwt none +sbwtdcpu none +sbwtdio none",
            # Makes the start script become the server.
            "RUNNING_UNDER_SYSTEMD": "true"}
        machine.process("epmd", ["epmd"])
        machine.process("rabbitmq", [f"{PROGRAMS}/rabbitmq-server"])

    def start(self):
        for machine in self.machines:
            machine.start()

    def wait(self):
        """Wait until all nodes are members of one cluster."""
        for machine in self.machines:
            machine.processes["rabbitmq"].wait(lambda machine=machine: accepts(machine))
        processes.until(lambda: len(self._members()) == len(self.machines), what="one cluster of RabbitMQ")

    def _members(self):
        try:
            found = self.machines[-1].run(f"{PROGRAMS}/rabbitmqctl", "cluster_status", "--formatter", "json")
        except network.Failed:
            # A node that starts, or has paused without the others, refuses the command.
            return []
        return json.loads(found)["running_nodes"]


def accepts(machine):
    """Whether the node of that machine accepts connections."""
    try:
        connection = amqp.Connection(f"{machine.address}:5672", USER, PASSWORD, connect_timeout=5)
        connection.connect()
        connection.close()
    except (OSError, amqp.AMQPError):
        return False
    return True
