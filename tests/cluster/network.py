"""Machines of a cluster: network namespaces on one bridge, with the processes that run in each.

The test run itself moves into a namespace of its own, which has the bridge, so that no other process of the machine is
reached and nothing is left: a namespace ends with its last process, and the keeper of the processes ends those.
"""

import os
import signal
import subprocess

from tests.services import keeper, processes
from tools.kernel_lab import namespaces

#: The address of the test run; machines have those after .0.
OWN, PREFIX = "10.91.0.254", "10.91.0."


class Failed(AssertionError):
    """A command on a machine has failed."""


def ip(*words, inside=None):
    """Run ip(8), in the namespace of a process if its number is given."""
    enter = ["nsenter", "-t", str(inside), "-n"] if inside else []
    subprocess.run([*enter, "ip", *words], check=True)


class Network:
    """The bridge; use one for each test run, from its main thread."""

    def __init__(self):
        if namespaces.LIBC.unshare(namespaces.NETWORK) != 0:
            raise OSError("namespaces of the network need root")
        self.machines = []
        ip("link", "set", "lo", "up")
        ip("link", "add", "br0", "type", "bridge")
        ip("address", "add", f"{OWN}/24", "dev", "br0")
        ip("link", "set", "br0", "up")

    def machine(self, name, number):
        """A new machine with that number as the end of its address."""
        made = Machine(name, number)
        self.machines.append(made)
        return made

    def remove(self):
        """End all processes of all machines."""
        for machine in reversed(self.machines):
            machine.remove()


class Machine:
    """A namespace, the processes in it by name, and a directory."""

    def __init__(self, name, number):
        self.name, self.address, self._link = name, f"{PREFIX}{number}", f"port{number}"
        self.directory = processes.Directory(f"cluster-{name}")
        self.processes, self.env = {}, {}
        self._holder = processes.Process(name, ["unshare", "-n", "sleep", "infinity"], self.path("holder.log"))
        self._holder.start()
        self._holder.wait(self._is_apart)
        ip("link", "add", self._link, "type", "veth", "peer", "name", "eth0", "netns", str(self._holder.pid))
        ip("link", "set", self._link, "master", "br0", "up")
        for words in (("link", "set", "lo", "up"), ("address", "add", f"{self.address}/24", "dev", "eth0"),
                      ("link", "set", "eth0", "up")):
            ip(*words, inside=self._holder.pid)

    def _is_apart(self):
        return os.readlink(f"/proc/{self._holder.pid}/ns/net") != os.readlink("/proc/self/ns/net")

    def path(self, name):
        return os.path.join(self.directory.path, name)

    def addresses(self):
        """The addresses of its cable, as ip(8) prints them."""
        return self.run("ip", "-br", "address", "show", "eth0")

    @property
    def inside(self):
        """The beginning of a command that runs here; the process keeps its number."""
        return ["nsenter", "-t", str(self._holder.pid), "-n"]

    def run(self, *argv):
        """The output of a command that runs here, as text; Failed if it fails."""
        done = subprocess.run([*self.inside, *argv], env={**os.environ, **self.env}, capture_output=True, text=True,
                              cwd="/")
        if done.returncode:
            raise Failed(f"{argv}: status {done.returncode}: {done.stdout}{done.stderr}")
        return done.stdout

    def process(self, name, argv):
        """A process that runs here, not started yet."""
        made = processes.Process(f"{name} of {self.name}", [*self.inside, *argv], self.path(f"{name}.log"), self.env)
        self.processes[name] = made
        return made

    def start(self):
        """Start all processes that do not run."""
        for process in self.processes.values():
            if not process.running:
                process.start()

    # -- the three ways to lose it, and what brings it back

    def kill(self, name=None):
        """SIGKILL all processes, or one."""
        for process in self._chosen(name):
            process.kill()

    def pause(self, name=None):
        self._signal(signal.SIGSTOP, name)

    def unplug(self):
        ip("link", "set", self._link, "down")

    def recover(self):
        """Put the cable back, continue what was stopped, and start what was killed."""
        ip("link", "set", self._link, "up")
        self._signal(signal.SIGCONT)
        self.start()

    def _chosen(self, name):
        return [self.processes[name]] if name else [*self.processes.values()]

    def _signal(self, number, name=None):
        for process in self._chosen(name):
            if process.running:
                for pid in {process.pid, *keeper.descendants(process.pid), *keeper.session(process.pid)}:
                    os.kill(pid, number)

    def remove(self):
        for process in (*self.processes.values(), self._holder):
            process.kill()
        self.directory.remove()

    def tail(self, lines):
        """The ends of the logs."""
        return "".join(f"---- {process.name}\n{process.tail(lines)}" for process in self.processes.values())
