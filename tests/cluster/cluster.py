"""The whole cluster: services, broker, database and balancers on machines of their own."""

from tests.cluster import balancer, broker, database, hosts, load, network
from tests.services import checks, processes


class Cluster:
    """Eleven machines on one network. `members` is {name of the tier: its machines}."""

    def __init__(self):
        self.network, self.other = network.Network(), None
        self.shared = processes.Directory("cluster-shared")
        try:
            named = {"host": (1, 3), "broker": (11, 3), "database": (21, 3), "balancer": (31, 2)}
            self.members = {tier: [self.network.machine(f"{tier}{number + 1}", first + number)
                                   for number in range(count)] for tier, (first, count) in named.items()}
            self.database = database.Galera(self.members["database"])
            self.broker = broker.Broker(self.members["broker"])
            self.balancer = balancer.Balancer(self.members["balancer"])
            self.hosts = hosts.Hosts(self.members["host"], self.shared.path)
        except BaseException:
            self.remove()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.remove()

    def start(self):
        self.broker.start()
        for tier in (self.database, self.balancer):
            tier.start()
            tier.wait()
        self.broker.wait()
        self.start_hosts()
        return self

    def wait(self, changed="broker"):
        """Wait until all members of all tiers work; `changed` is the tier that did not."""
        self.database.wait()
        if changed == "broker":
            self.broker.wait()
        self.balancer.wait()
        self.hosts.wait(lambda query: checks.rows(self, query))

    def restart_hosts(self, connections=None):
        """Restart the services with other URLs of the database, one for each host, or with the usual one."""
        self.hosts.write(connections)
        for machine in self.members["host"]:
            machine.kill()
        self.start_hosts()

    def start_hosts(self):
        """Make the tables and one type of volumes for each host."""
        self.hosts.start()
        self.wait()
        for machine in self.members["host"]:
            load.request("POST", "/types", {"volume_type": {
                "name": machine.name, "extra_specs": {"volume_backend_name": machine.name}}})

    def connect(self):
        """A connection to the database that the services use, by default through the balancers."""
        return self.other.connect() if self.other else database.connect(balancer.ADDRESS)

    def emptied(self):
        """Delete all volumes, whatever state clients left them in, and wait until nothing is left."""
        for kind in ("attachments", "volumes"):
            for one in load.request("GET", f"/{kind}")[1][kind]:
                load.request("DELETE", f"/{kind}/{one['id']}")
        checks.await_rest(self, self)
        assert checks.rows(self, "SELECT count(*) FROM volumes")[0][0] == 0

    @property
    def processes(self):
        """Those of the services, by name."""
        return {process.name: process for machine in self.members["host"] for process in machine.processes.values()}

    def remove(self):
        self.network.remove()
        self.shared.remove()
