"""haproxy with keepalived on two machines, before the API and before the database."""

import os
import re
import urllib.error
import urllib.request

from tests.cluster import database, page
from tests.services import processes

ADDRESS = "10.91.0.100"


class Balancer:
    """haproxy and keepalived on two machines."""

    def __init__(self, machines):
        self.machines = machines
        for machine in machines:
            self._prepare(machine)

    def _prepare(self, machine):
        directory = machine.directory
        check = directory.make("check-galera", page.file("/usr/local/bin/check-galera"))
        os.chmod(check, 0o700)
        directory.make("haproxy.cfg", page.file("/etc/haproxy/haproxy.cfg").replace(
            "/usr/local/bin/check-galera", check))
        text = page.file("/etc/keepalived/keepalived.conf")
        if machine is self.machines[1]:
            first, second = (one.address for one in self.machines)
            text = re.sub(f"{first}|{second}", lambda found: second if found[0] == first else first, text)
        directory.make("keepalived.conf", text)
        machine.process("haproxy", ["haproxy", "-db", "-L", machine.name, "-f", machine.path("haproxy.cfg")])
        machine.process("keepalived", ["keepalived", "-n", "-l", "-P", "-f", machine.path("keepalived.conf"), *(
            word for option in "prc" for word in (f"-{option}", machine.path(f"keepalived-{option}.pid")))])

    def start(self):
        for machine in self.machines:
            machine.start()

    def wait(self):
        """Wait until the address leads to the database, and both machines could have it."""
        for machine in self.machines:
            machine.processes["haproxy"].wait(lambda machine=machine: leads_to_database(machine.address))
        processes.until(lambda: leads_to_database(ADDRESS), what="the address of the balancers")

    @property
    def holder(self):
        """The machine that has the address."""
        return next(machine for machine in self.machines if f" {ADDRESS}/" in machine.addresses())


def leads_to_database(address):
    try:
        database.connect(address).close()
    except database.pymysql.err.MySQLError:
        return False
    return True


def leads_to_api(address):
    try:
        with urllib.request.urlopen(f"http://{address}:8776/healthcheck", timeout=5) as answer:
            return answer.status == 200
    except (urllib.error.URLError, OSError):
        return False
