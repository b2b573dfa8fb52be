"""The number of threads of a process stays within what its options allow, whatever is asked of it."""

import contextlib
import os
import socket
import threading

import pytest
import requests

from tests.functional.client import Client
from tests.functional.service import Apart, until
from tests.services import daemons

SECTIONS = {"hung": """
[hung]
volume_driver = tests.functional.gated.GatedDriver
file_volume_dir = {state}/hung
target_helper = tests.functional.gated.GatedTarget
"""}
OPTIONS = {"osapi_volume_threads": 6, "rpc_max_waiting": 2, "executor_thread_pool_size": 5, "volume_max_operations": 3,
           "backup_max_operations": 2, "backup_threads": 2, "scheduler_max_operations": 2}
#: What every process has, what each of its services has, and the services of this one: docs/limits.md has the table.
OF_A_PROCESS, OF_HEALTH, OF_A_SERVICE, SERVICES = 10, 1, 8, 3
#: Many more of everything than the bound.
MANY = 40


def most(options):
    """The bound of docs/limits.md for cinder-lite-all with one backend and messages in memory."""
    waiting = 4 * options["rpc_max_waiting"]
    return (OF_A_PROCESS + OF_HEALTH + options["osapi_volume_threads"]
            + SERVICES * (OF_A_SERVICE + options["executor_thread_pool_size"])
            + options["scheduler_max_operations"] + options["volume_max_operations"] + waiting
            + options["backup_max_operations"] * (1 + options["backup_threads"]) + waiting)


def at_rest(options):
    """The same without jobs and messages: threads that serve requests are kept."""
    return OF_A_PROCESS + OF_HEALTH + options["osapi_volume_threads"] + SERVICES * OF_A_SERVICE


@pytest.fixture
def service():
    lines = [*(f"{name} = {value}" for name, value in (OPTIONS | daemons.UNLIMITED).items()),
             "rpc_reply_timeout = 600", "job_sweep_interval = 0.2", "client_request_timeout = 300"]
    service = Apart(backends=("hung",), sections=SECTIONS, target=False, default="\n".join(lines))
    try:
        service.launch("all")
        until(service.answers, "the API to answer")
        yield service
    finally:
        service.stop()
        service.remove()


class Watched:
    """Counts the threads of a process as long as a `with` block lasts; `peak` is their largest number."""

    def __init__(self, pid):
        self.pid, self.peak, self._end = pid, 0, threading.Event()
        self._thread = threading.Thread(target=self._run)

    def number(self):
        with open(f"/proc/{self.pid}/status") as file:
            return int(next(line for line in file if line.startswith("Threads:")).split()[1])

    def _run(self):
        while not self._end.wait(0.01):
            self.peak = max(self.peak, self.number())

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *exception):
        self._end.set()
        self._thread.join()


@contextlib.contextmanager
def held(path):
    """Calls of the gated backend wait at this place during the block."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    open(path, "w").close()
    try:
        yield
    finally:
        os.unlink(path)


@contextlib.contextmanager
def slow_clients(service):
    """Connections whose requests do not end."""
    head = b"POST /v3/x/volumes HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{"
    with contextlib.ExitStack() as stack:
        for _ in range(MANY):
            stack.enter_context(socket.create_connection(("127.0.0.1", service.port), timeout=60)).sendall(head)
        yield


def concurrently(function, arguments):
    """Threads, started, that call the function with each of the arguments."""
    threads = [threading.Thread(target=function, args=(argument,)) for argument in arguments]
    for thread in threads:
        thread.start()
    return threads


def test_threads_stay_within_the_options_under_load(service):
    client, answers = Client(service.url), []
    until(lambda: client("GET", "/volumes")[0] == 200, "the API to list")
    volumes = [client.made("volumes", size=1)["id"] for _ in range(4)]
    taken = [client.made("snapshots", volume_id=id)["id"] for id in volumes]

    def connect(id):
        answers.append(requests.post(
            f"{service.url}/v3/{client.project}/volumes/{id}/action", timeout=300,
            json={"os-initialize_connection": {"connector": {"host": "one", "initiator": "iqn.2026-01.org.x:one"}}},
            headers={"X-Auth-Token": f"tester:{client.project}"}).status_code)

    def read(_):
        assert Client(service.url)("GET", "/volumes/detail")[0] == 200

    with Watched(service.main.pid) as watched, slow_clients(service):
        with held(f"{service.state}/targets/hung/.hold-before-export"), \
                held(f"{service.state}/hung/.hold-create_snapshot"), held(f"{service.state}/hung/.hold-snapshot_path"):
            made = [client.create("snapshots", volume_id=volumes[number % 4])["id"] for number in range(MANY)]
            copies = [client.create("backups", volume_id=id, snapshot_id=snapshot)["id"]
                      for id, snapshot in zip(volumes, taken, strict=True)]
            connecting = concurrently(connect, volumes * (MANY // 4))
            until(lambda: len(answers) >= MANY - OPTIONS["rpc_max_waiting"], "the requests beyond the limit to end",
                  300)
            for thread in concurrently(read, range(MANY)):
                thread.join()
        for thread in connecting:
            thread.join()
        for id in made:
            client.settled("snapshots", id)
        for id in copies:
            client.settled("backups", id)
        # As many jobs as may have run, in a thread each.
        assert OPTIONS["volume_max_operations"] < watched.peak <= most(OPTIONS)
        until(lambda: watched.number() <= at_rest(OPTIONS), "the threads of jobs and messages to end", 300)
    assert set(answers) <= {200, 503}
