"""The services of cinder-lite on three machines: api, scheduler, volume and backup on each."""

import configparser
import datetime
import sys

from tests import product
from tests.cluster import balancer, page
from tests.services import daemons

sys.path.insert(0, f"{daemons.TOP}/tools/installer")

import settings  # noqa: E402

#: Instead of what the installer writes: for a machine of two processors, without authentication, and with services
#: that are called lost sooner.
CHANGED = {
    "auth_strategy": "noauth", "allow_noauth_anywhere": True, "enabled_backends": "null", "osapi_volume_workers": 1,
    "report_interval": 1, "service_down_time": 8, "job_lease": 8, "rpc_reply_timeout": 20, "backup_driver": "posix",
    **daemons.UNLIMITED}


class Hosts:
    """The services on these machines; `shared` is a directory that all reach."""

    def __init__(self, machines, shared):
        self.machines, self._shared = machines, shared
        self.python = product.python()
        self.write()
        for machine in machines:
            machine.env |= {"PYTHONPATH": daemons.TOP, "PYTHONFAULTHANDLER": "1"}
            for name in daemons.NAMES:
                machine.process(name, [self.python, "-m", f"cinder_lite.cmd.{name}", "--config-file",
                                       machine.path("cinder.conf")])

    def write(self, connections=None):
        """Write the settings; `connections` are other URLs of the database, one for each machine."""
        for machine, connection in zip(self.machines, connections or [None] * len(self.machines), strict=True):
            options = installed(machine)
            del options["file"]
            options["DEFAULT"] |= CHANGED | {
                "host": machine.name, "state_path": machine.directory.path, "log_dir": "",
                "backup_posix_path": self._shared}
            options["null"] = {"volume_driver": "null", "volume_backend_name": machine.name}
            if connection:
                options["database"]["connection"] = connection
            machine.directory.make("cinder.conf", daemons.as_text(options))

    def manage(self, *words, machine=None):
        """The output of cinder-lite-manage with these words."""
        machine = machine or self.machines[0]
        return machine.run(self.python, "-m", "cinder_lite.cmd.manage", "--config-file", machine.path("cinder.conf"),
                           *words)

    def start(self):
        self.manage("db", "sync")
        for machine in self.machines:
            machine.start()

    def wait(self, rows):
        """Wait until each API answers and each service has reported itself in the database since now.

        `rows(query)` are those of the database.
        """
        since = datetime.datetime.now(datetime.UTC).replace(tzinfo=None)
        for machine in self.machines:
            machine.processes["api"].wait(lambda machine=machine: balancer.leads_to_api(machine.address))
        for machine in self.machines:
            for name in ("scheduler", "volume", "backup"):
                query = (f"SELECT 1 FROM services AS s WHERE s.binary = 'cinder-{name}' AND seen_at > '{since}' "
                         f"AND host LIKE '{machine.name}%'")
                machine.processes[name].wait(lambda query=query: rows(query))


def installed(machine):
    """What tools/install --cluster with the file of the page writes on a machine: {section: {option: value}}."""
    file = machine.directory.make("cluster.conf", page.file("/etc/cinder-cluster.conf"))
    choices = settings.Choices(services=True, cluster=file, address=machine.address)
    conf = configparser.ConfigParser(interpolation=None, default_section="-")
    conf.read_string(settings.configuration(choices))
    return {section: dict(conf[section]) for section in conf.sections()}
