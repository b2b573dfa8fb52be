"""`top`: shows services, pools and running jobs on a screen that is updated until it is closed."""

import collections
import contextlib
import datetime
import select
import sys
import termios
import tty
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import rich.console
import rich.live
import rich.table
import rich.text
from cinderclient import exceptions
from keystoneauth1 import exceptions as session_errors

from cinder_lite import states
from cinder_lite.client import jobs, tables
from cinder_lite.concurrency import clock

GIB = 1024**3
#: Seconds over which a rate is measured: jobs report their percentage each second.
WINDOW = 20
UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")
#: kind of resource that has a size -> its collection in the API
SIZED = {"volume": "volumes", "snapshot": "snapshots", "backup": "backups"}


class Rates:
    """Computes the rates of jobs from samples of their progress."""

    def __init__(self, clock: Callable[[], float] = clock.monotonic) -> None:
        self._clock = clock
        #: job id -> (time, percent), the oldest first
        self._samples: dict[str, collections.deque[tuple[float, float]]] = {}

    def record(self, found: Sequence[dict[str, Any]]) -> None:
        """Add the present progress of jobs; the samples of all others are dropped."""
        now = self._clock()
        self._samples = {job["id"]: self._samples.get(job["id"], collections.deque()) for job in found}
        for job in found:
            samples = self._samples[job["id"]]
            if not samples or samples[-1][1] != job["progress"]:
                samples.append((now, job["progress"]))
            while len(samples) > 2 and now - samples[1][0] > WINDOW:
                samples.popleft()

    def percent(self, id: str) -> float | None:
        """Percent per second, None as long as there are too few samples."""
        samples = self._samples.get(id)
        if not samples or len(samples) < 2 or samples[-1][1] <= samples[0][1]:
            return None
        return (samples[-1][1] - samples[0][1]) / (max(samples[-1][0], self._clock() - WINDOW) - samples[0][0])


class Top:
    """The screen of the service that the cinderclient `cs` uses."""

    def __init__(self, cs: Any, endpoint: str) -> None:
        self._http, self._jobs, self._endpoint = cs.client, jobs.Jobs(cs), endpoint
        self.rates = Rates()
        self._sizes: dict[str, int | None] = {}
        self._shown: list[rich.table.Table] = []
        self._error: str | None = None

    def frame(self) -> rich.console.Group:
        """The present screen. While the service cannot be reached it is the last one, with the error."""
        try:
            self._shown, self._error = self._tables(), None
        except (exceptions.ConnectionError, session_errors.ConnectFailure, session_errors.RetriableConnectionFailure):
            if not self._shown:
                raise
            self._error = self._error or f"No response since {_local_time()}; this is the last known state."
        except exceptions.ClientException as error:
            if error.code < 500 or not self._shown:
                raise
            self._error = f"{error}; this is the last known state."
        title = rich.text.Text(f"cinder-lite  {self._endpoint}  {_local_time()}", style="bold")
        message = [rich.text.Text(self._error, style="red")] if self._error else []
        return rich.console.Group(title, *message, *self._shown)

    def _tables(self) -> list[rich.table.Table]:
        services = self._http.get("/os-services")[1]["services"]
        pools = self._http.get("/scheduler-stats/get_pools?detail=true")[1]["pools"]
        running = self._jobs.list(status=states.RUNNING, all_tenants=1, limit=jobs.PAGE)
        queued = self._jobs.list(status=states.QUEUED, all_tenants=1, limit=jobs.PAGE)
        self.rates.record(running)
        return [self._services(services), self._pools(pools), self._jobs_table(running, queued)]

    @staticmethod
    def _services(found: Sequence[dict[str, Any]]) -> rich.table.Table:
        up = sum(service["state"] == "up" for service in found)
        table = _table(f"Services: {up} of {len(found)} up", "Service", "Host", "State", "Zone", "Heartbeat")
        for service in sorted(found, key=lambda one: (one["state"] == "up", one["binary"], one["host"])):
            down = service["state"] != "up" or service.get("backend_state") == "down"
            state = ("backend down" if service["state"] == "up" else "down") if down else "up"
            if service["status"] == "disabled":
                state += ", disabled"
            seen = tables.seconds(service["updated_at"])
            table.add_row(service["binary"], service["host"], rich.text.Text(state, style="red" if down else "green"),
                          service["zone"], "-" if seen is None else f"{tables.duration(seen)} ago")
        return table

    @staticmethod
    def _pools(found: Sequence[dict[str, Any]]) -> rich.table.Table:
        table = _table(f"Pools: {len(found)}", "Pool", "Used", "Total", "Provisioned", "Volumes")
        for pool in sorted(found, key=lambda one: one["name"]):
            facts = pool["capabilities"]
            total, free = facts.get("total_capacity_gb"), facts.get("free_capacity_gb")
            known = all(isinstance(value, int | float) for value in (total, free)) and total > 0
            used = (1 - free / total) * 100 if known else None
            table.add_row(pool["name"], "-" if used is None else _bar(used, warn=True), _size(total),
                          _size(facts.get("provisioned_capacity_gb")), str(facts.get("total_volumes", "-")))
        return table

    def _jobs_table(self, running: jobs.JobList, queued: jobs.JobList) -> rich.table.Table:
        table = _table(f"Jobs: {len(running)} running, {len(queued)} queued", "Job", "Resource", "Progress", "Rate",
                       "Remaining", "Elapsed", "Host")
        for job in sorted(running, key=lambda one: one["created_at"]):
            percent, size = self.rates.percent(job["id"]), self._size_of(job)
            rate = f"{_bytes(percent / 100 * size)}/s" if percent and size else "-"
            remaining = tables.duration((100 - job["progress"]) / percent) if percent else "-"
            again = f", attempt {job['attempt']}" if job["attempt"] > 1 else ""
            table.add_row(f"{job['action']} {job['kind']}", job["resource_id"], _bar(job["progress"]), rate, remaining,
                          tables.duration(tables.seconds(job["created_at"])), f"{job['host'] or job['stage']}{again}")
        for job in sorted(queued, key=lambda one: one["created_at"]):
            table.add_row(f"{job['action']} {job['kind']}", job["resource_id"],
                          rich.text.Text("queued", style="yellow"), "", "",
                          tables.duration(tables.seconds(job["created_at"])), job["host"] or job["stage"])
        return table

    def _size_of(self, job: jobs.Job) -> int | None:
        """Bytes of a job's resource, fetched once; None where that has no size."""
        id = job["resource_id"]
        if id not in self._sizes:
            collection = SIZED.get(job["kind"])
            try:
                found = self._http.get(f"/{collection}/{id}")[1] if collection else {}
                self._sizes[id] = found[job["kind"]]["size"] * GIB if collection else None
            except exceptions.ClientException:
                return None
        return self._sizes[id]


def run(top: Top, interval: float, once: bool = False) -> None:
    """Update the screen every `interval` seconds until q is pressed; print it once with `once` or no terminal."""
    console = rich.console.Console(highlight=False)
    if once or not console.is_terminal:
        # Output that may be searched is not truncated.
        console = console if console.is_terminal else rich.console.Console(highlight=False, width=1000)
        console.print(top.frame())
        return
    live = rich.live.Live(top.frame(), console=console, screen=True, auto_refresh=False, vertical_overflow="crop")
    with live, _keys() as key:
        while key(interval) not in ("q", "Q"):
            live.update(top.frame(), refresh=True)


@contextlib.contextmanager
def _keys() -> Iterator[Callable[[float], str]]:
    """A function that waits at most so many seconds for a key; it returns "" without one."""
    if not sys.stdin.isatty():
        yield _sleep
        return
    before = termios.tcgetattr(sys.stdin)
    tty.setcbreak(sys.stdin)
    try:
        yield lambda seconds: sys.stdin.read(1) if select.select([sys.stdin], [], [], seconds)[0] else ""
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)


def _sleep(seconds: float) -> str:
    clock.sleep(seconds)
    return ""


def _table(title: str, *columns: str) -> rich.table.Table:
    table = rich.table.Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False,
                             expand=False)
    for column in columns:
        table.add_column(column, header_style="dim", no_wrap=True)
    return table


def _local_time():
    return f"{datetime.datetime.fromtimestamp(clock.time()):%H:%M:%S}"


def _bar(percent: float, warn: bool = False, width: int = 20) -> rich.text.Text:
    """A progress bar; with `warn` it is yellow from 80 and red from 95 percent."""
    full = round(width * max(0, min(100, percent)) / 100)
    style = "cyan" if not warn else "green" if percent < 80 else "yellow" if percent < 95 else "red"
    return rich.text.Text.assemble(("━" * full, style), ("─" * (width - full), "bright_black"), f" {percent:3.0f}%")


def _size(gigabytes: float | str | None) -> str:
    return _bytes(gigabytes * GIB) if isinstance(gigabytes, int | float) else str(gigabytes or "-")


def _bytes(count: float) -> str:
    power = 0
    while count >= 1024 and power < len(UNITS) - 1:
        count, power = count / 1024, power + 1
    return f"{count:.0f} {UNITS[power]}" if power == 0 or count >= 100 else f"{count:.1f} {UNITS[power]}"
