"""`top`: services, pools and running jobs on a screen that is renewed until it is left."""

import collections
import contextlib
import select
import sys
import termios
import time
import tty

import rich.console
import rich.live
import rich.table
import rich.text
from cinderclient import exceptions
from keystoneauth1 import exceptions as session_errors

from cinder_lite import states
from cinder_lite.client import jobs, tables

GIB = 1024**3
#: Seconds over which a rate is measured: jobs say each second how many percent are done.
WINDOW = 20
UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")
#: Kinds of resources that have a size, and how it is asked for.
SIZED = {"volume": "volumes", "snapshot": "snapshots", "backup": "backups"}


class Rates:
    """How fast jobs move bytes, from what they have said of themselves."""

    def __init__(self, clock=time.monotonic):
        self._clock, self._said = clock, {}

    def note(self, found):
        """Take note of what jobs say now; those that are not among them are forgotten."""
        now = self._clock()
        self._said = {job["id"]: self._said.get(job["id"], collections.deque()) for job in found}
        for job in found:
            said = self._said[job["id"]]
            if not said or said[-1][1] != job["progress"]:
                said.append((now, job["progress"]))
            while len(said) > 2 and now - said[1][0] > WINDOW:
                said.popleft()

    def percent(self, id):
        """Percent a second, None when that is not known yet."""
        said = self._said.get(id, ())
        if len(said) < 2 or said[-1][1] <= said[0][1]:
            return None
        return (said[-1][1] - said[0][1]) / (max(said[-1][0], self._clock() - WINDOW) - said[0][0])


class Top:
    """What the screen shows of the service that a cinderclient `cs` talks to."""

    def __init__(self, cs, endpoint):
        self._http, self._jobs, self._endpoint = cs.client, jobs.Jobs(cs), endpoint
        self.rates, self._sizes = Rates(), {}
        self._shown, self._error = [], None

    def frame(self):
        """The screen as it is now. While nobody answers it stays what it was, and says so."""
        try:
            self._shown, self._error = self._look(), None
        except (exceptions.ConnectionError, session_errors.ConnectFailure, session_errors.RetriableConnectionFailure):
            if not self._shown:
                raise
            self._error = self._error or f"Nobody answers since {time.strftime('%H:%M:%S')}; this is what was there before."
        except exceptions.ClientException as error:
            if error.code < 500 or not self._shown:
                raise
            self._error = f"{error}; this is what was there before."
        title = rich.text.Text(f"cinder-lite  {self._endpoint}  {time.strftime('%H:%M:%S')}", style="bold")
        trouble = [rich.text.Text(self._error, style="red")] if self._error else []
        return rich.console.Group(title, *trouble, *self._shown)

    def _look(self):
        services = self._http.get("/os-services")[1]["services"]
        pools = self._http.get("/scheduler-stats/get_pools?detail=true")[1]["pools"]
        running = self._jobs.list(status=states.RUNNING, all_tenants=1, limit=jobs.PAGE)
        queued = self._jobs.list(status=states.QUEUED, all_tenants=1, limit=jobs.PAGE)
        self.rates.note(running)
        return [self._services(services), self._pools(pools), self._work(running, queued)]

    @staticmethod
    def _services(found):
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
    def _pools(found):
        table = _table(f"Pools: {len(found)}", "Pool", "Used", "Of", "Promised", "Volumes")
        for pool in sorted(found, key=lambda one: one["name"]):
            facts = pool["capabilities"]
            total, free = facts.get("total_capacity_gb"), facts.get("free_capacity_gb")
            known = all(isinstance(value, int | float) for value in (total, free)) and total > 0
            used = (1 - free / total) * 100 if known else None
            table.add_row(pool["name"], "-" if used is None else _bar(used, warn=True), _size(total),
                          _size(facts.get("provisioned_capacity_gb")), str(facts.get("total_volumes", "-")))
        return table

    def _work(self, running, queued):
        table = _table(f"Jobs: {len(running)} running, {len(queued)} queued", "Job", "Resource", "Done", "Rate", "Left", "Since",
                       "Where")
        for job in sorted(running, key=lambda one: one["created_at"]):
            percent, size = self.rates.percent(job["id"]), self._size_of(job)
            rate = f"{_bytes(percent / 100 * size)}/s" if percent and size else "-"
            left = tables.duration((100 - job["progress"]) / percent) if percent else "-"
            again = f", attempt {job['attempt']}" if job["attempt"] > 1 else ""
            table.add_row(f"{job['action']} {job['kind']}", job["resource_id"], _bar(job["progress"]), rate, left,
                          tables.duration(tables.seconds(job["created_at"])), f"{job['host'] or job['stage']}{again}")
        for job in sorted(queued, key=lambda one: one["created_at"]):
            table.add_row(f"{job['action']} {job['kind']}", job["resource_id"], rich.text.Text("queued", style="yellow"), "", "",
                          tables.duration(tables.seconds(job["created_at"])), job["host"] or job["stage"])
        return table

    def _size_of(self, job):
        """Bytes of what a job works on, asked for once; None where that has no size."""
        id = job["resource_id"]
        if id not in self._sizes:
            collection = SIZED.get(job["kind"])
            try:
                found = self._http.get(f"/{collection}/{id}")[1] if collection else {}
                self._sizes[id] = found[job["kind"]]["size"] * GIB if collection else None
            except exceptions.ClientException:
                return None
        return self._sizes[id]


def run(top, interval, once=False):
    """Show it until q is typed, or once where that is asked for or nobody looks."""
    console = rich.console.Console(highlight=False)
    if once or not console.is_terminal:
        # Nothing is cut off where it may be searched.
        console = console if console.is_terminal else rich.console.Console(highlight=False, width=1000)
        console.print(top.frame())
        return
    with rich.live.Live(top.frame(), console=console, screen=True, auto_refresh=False, vertical_overflow="crop") as live, _keys() as key:
        while key(interval) not in ("q", "Q"):
            live.update(top.frame(), refresh=True)


@contextlib.contextmanager
def _keys():
    """A function that waits so many seconds for a key, "" when none comes."""
    if not sys.stdin.isatty():
        yield lambda seconds: time.sleep(seconds) or ""
        return
    before = termios.tcgetattr(sys.stdin)
    tty.setcbreak(sys.stdin)
    try:
        yield lambda seconds: sys.stdin.read(1) if select.select([sys.stdin], [], [], seconds)[0] else ""
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)


def _table(title, *columns):
    table = rich.table.Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False, expand=False)
    for column in columns:
        table.add_column(column, header_style="dim", no_wrap=True)
    return table


def _bar(percent, warn=False, width=20):
    """A bar; with `warn` it is yellow from 80 and red from 95 percent."""
    full = round(width * max(0, min(100, percent)) / 100)
    style = "cyan" if not warn else "green" if percent < 80 else "yellow" if percent < 95 else "red"
    return rich.text.Text.assemble(("━" * full, style), ("─" * (width - full), "bright_black"), f" {percent:3.0f}%")


def _size(gigabytes):
    return _bytes(gigabytes * GIB) if isinstance(gigabytes, int | float) else str(gigabytes or "-")


def _bytes(count):
    power = 0
    while count >= 1024 and power < len(UNITS) - 1:
        count, power = count / 1024, power + 1
    return f"{count:.0f} {UNITS[power]}" if power == 0 or count >= 100 else f"{count:.1f} {UNITS[power]}"
