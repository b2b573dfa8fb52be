"""The four processes of the service: configuration, start, readiness, signals, logs."""

import datetime
import json
import os
import signal
import subprocess
import urllib.error
import urllib.request

from cinder_lite import states
from cinder_lite.states import lookup
from cinder_lite.volume.targets.tgtd import TgtDaemon
from tests import product
from tests.services import keeper, processes

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
NAMES = ("api", "scheduler", "volume", "backup")
#: Statuses that a volume, snapshot or backup has only while a job does something with it.
TRANSITIONAL = frozenset(status for kind in states.ACTIONS for status in lookup.transitional(kind))


#: Limits that are out of the way of tests of anything else.
UNLIMITED = dict.fromkeys(("quota_volumes", "quota_snapshots", "quota_gigabytes", "quota_backups",
                           "quota_backup_gigabytes"), -1)


def configuration(directory, port, database_url, transport_url, driver, target_port):
    """The options of a service that keeps everything below `directory`, as {section: {option: value}}."""
    return {
        "DEFAULT": {
            "host": "test", "state_path": directory, "transport_url": transport_url,
            "osapi_volume_listen": "127.0.0.1", "osapi_volume_listen_port": port, "auth_strategy": "noauth",
            "enabled_backends": driver, "report_interval": 1, "service_down_time": 5, "job_lease": 5,
            "job_sweep_interval": 1, "rpc_reply_timeout": 10, "backup_driver": "posix",
            "backup_posix_path": f"{directory}/backups", "backup_file_size": 1024**2,
            **UNLIMITED,
        },
        "database": {"connection": database_url},
        driver: {"volume_driver": driver, "volume_backend_name": driver, "file_volume_dir": f"{directory}/volumes",
                 "target_port": target_port, "tgt_control_port": target_port},
    }


def as_text(options):
    """An oslo.config file of such options."""
    lines = []
    for section, values in options.items():
        # Within a value a dollar sign begins a reference, to be doubled.
        lines += [f"[{section}]", *(f"{name} = {str(value).replace('$', '$$')}" for name, value in values.items()), ""]
    return "\n".join(lines)


class Daemons:
    """api, scheduler, volume and backup service as processes over a database and a broker, and a tgtd for the file
    driver.

    At the end of a `with` block the ends of the four logs are printed, which pytest shows of tests that failed.
    """

    def __init__(self, database_url, transport_url, driver="file", changes=None, extra=None, log_lines=100):
        """`changes` are options in the form of `configuration`, put over it; `extra` is one of the package's extras;
        `log_lines` of each log are printed at the end."""
        self.directory, self._log_lines = processes.Directory("services"), log_lines
        self.port = processes.free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.project = "11111111111111111111111111111111"
        target_port = processes.free_port()
        options = configuration(self.directory.path, self.port, database_url, transport_url, driver, target_port)
        for section, values in (changes or {}).items():
            options.setdefault(section, {}).update(values)
        self.config_file = self.directory.make("cinder.conf", as_text(options))
        self._env = {"PYTHONPATH": TOP, "PYTHONFAULTHANDLER": "1"}
        self._manage_env = {**os.environ, **self._env}
        self._python, self._started = product.python(extra), {}
        self._sessions = set()
        self.processes = {name: self._process(name) for name in NAMES}
        self.target = self._target(target_port) if driver == "file" else None

    def _process(self, name):
        argv = [self._python, "-m", f"cinder_lite.cmd.{name}", "--config-file", self.config_file]
        return processes.Process(name, argv, os.path.join(self.directory.path, f"{name}.log"), self._env)

    def _target(self, port):
        argv = TgtDaemon(f"127.0.0.1:{port}", port).argv
        target = processes.Process("tgtd", argv, os.path.join(self.directory.path, "tgtd.log"))
        target.start()
        target.wait(lambda: processes.listens(port))
        return target

    def path(self, name):
        """The file that is volume-ID or snapshot-ID on the file driver."""
        return os.path.join(self.directory.path, "volumes", name)

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        if self._log_lines:
            print(self.logs(self._log_lines))
        self.remove()

    def run_from(self, tree, *names):
        """Run processes, or "manage", from another tree after their next start."""
        for name in names:
            env = self._manage_env if name == "manage" else self.processes[name].env
            env["PYTHONPATH"] = tree

    def manage(self, *words):
        """Run cinder-lite-manage with these words; returns the ended process with its output as text."""
        argv = [self._python, "-m", "cinder_lite.cmd.manage", "--config-file", self.config_file, *words]
        return subprocess.run(argv, env=self._manage_env, capture_output=True, text=True, cwd="/")

    def start(self, names=NAMES):
        """Make the tables, start the processes and wait until all work."""
        made = self.manage("db", "sync")
        if made.returncode:
            raise processes.NotReady(f"cinder-lite-manage db sync: {made.stdout}{made.stderr}")
        for name in names:
            self.launch(name)
        self.wait()
        return self

    def launch(self, name):
        """Start one process, without waiting for it."""
        self._started[name] = datetime.datetime.now(datetime.UTC).replace(tzinfo=None).isoformat("T", "microseconds")
        self.processes[name].start()

    def wait(self, limit=300):
        """Wait until the API answers and each of the started services has reported itself since it was started."""
        for name in self._started:
            ready = self._healthy if name == "api" else lambda name=name: self._reported(name)
            self.processes[name].wait(ready, limit)

    def _healthy(self):
        return self.health()[0] != 0 and self.request("GET", "/volumes?limit=1")[0] == 200

    def health(self, query=""):
        """(HTTP status, text or document) of /healthcheck; the status is 0 without a response."""
        request = urllib.request.Request(f"{self.url}/healthcheck{query}", headers={"X-Auth-Token": "admin:admin"})
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, _parsed(answer.read()) if query else answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, _parsed(error.read())
        except OSError:
            return 0, None

    def _reported(self, name):
        if "api" not in self._started:
            return True
        status, body = self.request("GET", "/os-services")
        return status == 200 and any(
            row["binary"] == f"cinder-{name}" and row["state"] == "up" and
            (row["updated_at"] or "") >= self._started[name] for row in body["services"])

    def kill(self, name, number=signal.SIGKILL, tree=True):
        """Send a signal to one process; SIGKILL goes to all that it started too, as from systemd, unless not `tree`."""
        process = self.processes[name]
        if number == signal.SIGKILL and tree:
            process.kill()
        else:
            self._sessions.add(process.pid)
            process.send(number)

    def restart(self, name):
        """Start one process again, killed first where it runs; `wait` waits until it works."""
        self.processes[name].kill()
        self.launch(name)

    def stop(self, limit=300):
        """SIGTERM all that run, and wait for them. Returns {name: exit status} of these."""
        running = [process for process in self.processes.values() if process.running]
        for process in running:
            process.send(signal.SIGTERM)
        return {process.name: process.wait_end(limit) for process in running}

    def remove(self):
        """End everything and remove its data."""
        for process in (*self.processes.values(), *filter(None, (self.target,))):
            process.kill()
        for left in (pid for number in self._sessions for pid in keeper.session(number)):
            keeper.kill(left)
        self.directory.remove()

    def logs(self, lines=100):
        """The last lines of each process's log."""
        return "".join(f"---- {name}\n{process.tail(lines)}" for name, process in self.processes.items())

    def request(self, method, path, body=None, version="3.71", project=None):
        """One request as an administrator; `path` starts after /v3/<project>.

        Returns (HTTP status, body); the status is 0 without a response.
        """
        project = project or self.project
        request = urllib.request.Request(
            f"{self.url}/v3/{project}{path}", method=method, data=None if body is None else json.dumps(body).encode(),
            headers={"X-Auth-Token": f"admin:{project}", "Content-Type": "application/json",
                     "OpenStack-API-Version": f"volume {version}"})
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, _parsed(answer.read())
        except urllib.error.HTTPError as error:
            return error.code, _parsed(error.read())
        except OSError:
            return 0, None


def _parsed(text):
    return json.loads(text) if text else None
