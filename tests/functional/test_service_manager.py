"""The systemd notifications of daemons, and hanging workers: real processes, a real NOTIFY_SOCKET."""

import os
import pathlib
import signal
import socket
import sys
import threading

import pytest

from cinder_lite import concurrency
from tests.services import processes

CONFIGURATION = """\
[DEFAULT]
state_path = {state}
host = test
osapi_volume_listen = 127.0.0.1
osapi_volume_listen_port = {port}
osapi_volume_workers = 2
enabled_backends = good, bad
[database]
connection = {database}
[good]
volume_driver = null
[bad]
volume_driver = file
file_volume_dir = /dev/null/volumes
"""
#: Starts a daemon with the descriptor that was held for it.
HAND_OVER = 'exec 3<&{descriptor}; export LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES={name}; exec "$@"'
ASKS = b"GET /healthcheck HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n"
#: Seconds after which a silent process is taken for a hung one.
PATIENCE = 5


class Manager:
    """Starts a daemon as systemd does, and receives its notifications."""

    def __init__(self, path):
        self.path, self.facts, self.held = path, [], {}
        self._native = concurrency.native("socket")  # eventlet's does not wait for descriptors
        self._sock = self._native.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._sock.bind(str(path / "notify"))
        self._sock.settimeout(0.1)
        self.configure(f"sqlite:///{path}/cinder.sqlite")
        self.process = None

    def configure(self, database):
        self.port = processes.free_port()
        text = CONFIGURATION.format(state=self.path, port=self.port, database=database)
        (self.path / "cinder.conf").write_text(text)

    def start(self, name):
        argv = [sys.executable, "-m", f"cinder_lite.cmd.{name}", "--config-file", self.path / "cinder.conf"]
        held = tuple(self.held.values())
        if held:
            argv = ["bash", "-c", HAND_OVER.format(descriptor=held[0], name=next(iter(self.held))), "bash", *argv]
        self.process = processes.Process(name, argv, self.path / "log", {
            "NOTIFY_SOCKET": str(self.path / "notify"), "WATCHDOG_USEC": str(PATIENCE * 10**6)}, inherits=held)
        self.process.start()

    def take(self):
        """The facts of its next message, {} when there is none for the moment."""
        try:
            said, descriptors, _, _ = self._native.recv_fds(self._sock, 65536, 1)
        except TimeoutError:
            return {}
        self.facts.append(dict(line.split("=", 1) for line in said.decode().splitlines()))
        if "FDSTOREREMOVE" in self.facts[-1] and self.facts[-1]["FDNAME"] in self.held:
            os.close(self.held.pop(self.facts[-1]["FDNAME"]))
        if descriptors:
            self.held[self.facts[-1]["FDNAME"]] = descriptors[0]
        return self.facts[-1]

    def hear(self, name, text=""):
        """Wait for a notification of this key with this text in its value. Returns its keys and values."""
        def heard():
            facts = self.take()
            return facts if name in facts and text in facts[name] else None

        return processes.until(heard, what=f"{name}={text}")

    @property
    def ready(self):
        return any("READY" in facts for facts in self.facts)

    def children(self):
        return set(map(int,
                       pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()))


@pytest.fixture
def manager(tmp_path):
    manager = Manager(tmp_path)
    yield manager
    if manager.process is not None:
        manager.process.kill()
    for descriptor in manager.held.values():
        os.close(descriptor)


def sync(manager):
    """Make the tables."""
    made = processes.Process("manage", [sys.executable, "-m", "cinder_lite.cmd.manage", "--config-file",
                                        manager.path / "cinder.conf", "db", "sync"], manager.path / "log")
    made.start()
    assert made.wait_end() == 0, made.tail()


def test_ready_status_reload_and_end(manager):
    manager.start("all")
    manager.hear("READY")
    status = manager.hear("STATUS", "1 of 2 backends up")["STATUS"]
    assert "0 jobs running, bad is down: " in status and "/dev/null/volumes" in status
    assert "scheduler: 0 decisions in progress; backup: 0 jobs running; api: 0 requests in progress" in status
    manager.process.send(signal.SIGHUP)
    manager.hear("RELOADING")
    manager.hear("READY")
    manager.hear("WATCHDOG")
    assert manager.process.stop() == 0, manager.process.tail()
    ending = manager.hear("STOPPING")
    assert ending["STATUS"].startswith("ending:") and int(ending["EXTEND_TIMEOUT_USEC"]) > 60e6


def test_a_worker_that_hangs_is_replaced(manager):
    sync(manager)
    manager.start("api")
    manager.hear("READY")
    assert "2 of 2 workers ready; one of them: api: 0 requests in progress" in manager.facts[-1]["STATUS"]
    hung, other = manager.children()
    os.kill(hung, signal.SIGSTOP)
    processes.until(lambda: manager.take() is not None and len(manager.children() - {hung}) == 2, what="another worker")
    assert other in manager.children()
    while manager.take():
        pass
    manager.hear("STATUS", "2 of 2 workers")
    assert f"worker {hung} has not reported" in manager.process.tail()
    assert manager.process.stop() == 0, manager.process.tail()


def test_a_worker_is_replaced_when_the_configuration_is_usable_again(manager):
    sync(manager)
    manager.start("api")
    manager.hear("READY")
    file = manager.path / "cinder.conf"
    usable = file.read_text()
    dead, other = manager.children()
    file.write_text(f"{usable}nonsense\n")
    os.kill(dead, signal.SIGKILL)
    processes.until(lambda: manager.take() is not None and "cannot start" in manager.process.tail(), what="an attempt")
    assert other in manager.children()
    with socket.create_connection(("127.0.0.1", manager.port), timeout=60) as asking:
        asking.sendall(ASKS)
        assert asking.recv(65536).startswith(b"HTTP/1.1 200 OK")
    file.write_text(usable)
    while manager.take():
        pass
    manager.hear("STATUS", "2 of 2 workers")
    assert f"worker {dead} ended with status -9" in manager.process.tail()
    assert other in manager.children() and dead not in manager.children()
    assert manager.process.stop() == 0, manager.process.tail()


def has_ended(pid):
    """Whether the process has ended; its new parent may not have waited for it."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except FileNotFoundError:
        return True


def test_workers_end_with_their_supervisor(manager):
    sync(manager)
    manager.start("api")
    manager.hear("READY")
    first, second = manager.children()
    os.kill(first, signal.SIGKILL)
    processes.until(lambda: len(manager.children() - {first}) == 2, what="another worker")
    workers = manager.children()
    os.kill(manager.process.pid, signal.SIGKILL)
    processes.until(lambda: all(map(has_ended, workers)), what="the end of all workers")


def test_a_service_that_waits_for_the_database_is_not_ready_and_stops_on_sigterm(manager):
    manager.configure("postgresql+psycopg://nobody@127.0.0.1:1/nothing")
    manager.start("scheduler")
    manager.hear("STATUS", "waiting for the database: ")
    assert not manager.ready
    assert manager.process.stop() in (0, -signal.SIGTERM)


@pytest.mark.parametrize("name", ["api", "volume"])
def test_errors_that_a_restart_cannot_fix_have_a_separate_exit_status(manager, name):
    manager.start(name)
    assert manager.process.wait_end() == os.EX_CONFIG
    manager.hear("STATUS", "the database is empty: run 'cinder-lite-manage db sync' first")
    assert not manager.ready


def again(manager):
    """Wait until a daemon that was started again is ready."""
    manager.facts.clear()
    manager.start("api")
    manager.hear("READY")


def test_clients_wait_while_the_api_is_started_again(manager):
    sync(manager)
    again(manager)
    assert list(manager.held) == ["api"]
    for number in (signal.SIGTERM, signal.SIGKILL):
        manager.process.stop(number)
        with socket.create_connection(("127.0.0.1", manager.port), timeout=60) as waiting:
            waiting.sendall(ASKS)
            again(manager)
            assert waiting.recv(65536).startswith(b"HTTP/1.1 200 OK")


def test_an_api_that_is_to_listen_elsewhere_does_not_hold_on_to_the_former_address(manager):
    sync(manager)
    again(manager)
    manager.process.stop()
    former = manager.port
    manager.configure(f"sqlite:///{manager.path}/cinder.sqlite")
    again(manager)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", former), timeout=60)
    with socket.create_connection(("127.0.0.1", manager.port), timeout=60) as asking:
        asking.sendall(ASKS)
        assert asking.recv(65536).startswith(b"HTTP/1.1 200 OK")


def test_no_client_is_disconnected_while_the_api_restarts(manager):
    sync(manager)
    again(manager)
    refused, answered, stop = [], [0] * 4, threading.Event()

    def ask(number):
        while not stop.is_set():
            try:
                with socket.create_connection(("127.0.0.1", manager.port), timeout=60) as asking:
                    asking.sendall(ASKS)
                    answer = asking.recv(65536)
                answered[number] += 1
            except OSError as error:
                answer = repr(error).encode()
            if not answer.startswith(b"HTTP/1.1 200 OK"):
                refused.append(answer)

    clients = [threading.Thread(target=ask, args=(number,)) for number in range(len(answered))]
    for client in clients:
        client.start()
    for _ in range(4):
        before = list(answered)
        processes.until(lambda: all(now > then for now, then in zip(answered, before, strict=True)), what="answers")  # noqa: B023
        assert manager.process.stop() == 0, manager.process.tail()
        again(manager)
    stop.set()
    for client in clients:
        client.join()
    assert refused == []


def test_idle_clients_do_not_delay_the_end(manager):
    sync(manager)
    again(manager)
    with socket.create_connection(("127.0.0.1", manager.port), timeout=60):
        assert manager.process.stop() == 0, manager.process.tail()
