"""cinder-lite-manage config check: finds unknown, deprecated and invalid options, and tests what they name.

oslo.config parses the files and judges the values. Its oslo_config.validator is no base for this check: of the 22
mistakes in tests/functional/test_manage_settings.py it finds 6, the unknown options outside the sections of backends
and the deprecated one, without naming a remedy; it takes no notice of values, has to skip the sections of backends,
whose names are the operator's, needs 2.8 s to load the options of all libraries, and its one public function writes to
the log and ends the process.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import difflib
import functools
import os
import re
import urllib.parse
from collections.abc import Callable, Collection, Iterator, Sequence

from oslo_config import cfg

from cinder_lite import conf as configuration
from cinder_lite import db, errors
from cinder_lite.conf import unread
from cinder_lite.db import clusters, drivers, members, migrate
from cinder_lite.host import effective_user, host_lock
from cinder_lite.manage import OK, VIOLATED, Commands, Failed, counted
from cinder_lite.manage.database import reason
from cinder_lite.rpc import notification_bus, transport
from cinder_lite.service import process

DAEMONS = tuple(f"cinder-lite-{name}" for name in ("all", "api", "scheduler", "volume", "backup"))
#: Seconds within which the loss of a broker's host should be noticed.
SOON = 20
#: Names and passwords in the URL of a broker, which may have several hosts.
ACCOUNTS = re.compile(r"[^/,@]*@")

Check = Callable[[process.Process], Iterator["Finding"]]


@dataclasses.dataclass(frozen=True)
class Finding:
    """The result for one subject, such as an option or a backend: its problem with the remedy, or None."""

    subject: str
    problem: str | None = None


def check(shared: process.Process, _args: argparse.Namespace) -> int:
    """find unknown, deprecated and invalid options, and test the services that they name; exit status 1 if there is a
    problem"""
    problems = 0
    for found in findings(shared):
        print(f"ok       {found.subject}" if found.problem is None else f"PROBLEM  {found.subject}: {found.problem}",
              flush=True)
        problems += found.problem is not None
    print(f"{counted(problems, 'problem')}." if problems else "Configuration is valid.")
    return VIOLATED if problems else OK


def findings(shared: process.Process, checks: Sequence[Check] = ()) -> Iterator[Finding]:
    """The findings of the checks. A check that needs an invalid option is skipped, for that option is a finding
    itself."""
    for one in checks or CHECKS:
        with contextlib.suppress(cfg.ConfigFileValueError):
            yield from one(shared)


# -- the files

def _files(shared: process.Process) -> Iterator[Finding]:
    paths = unread.files(shared.conf)
    for path in paths:
        if not os.access(path, os.R_OK):
            raise Failed(f"{path} cannot be read by {effective_user.name()}, the user of the services: change its "
                         "group to theirs (chgrp) and let the group read it (chmod 640)")
    yield Finding(f"read {', '.join(paths)}" if paths else "no configuration file was found: the defaults are used")


def _unknown(shared: process.Process) -> Iterator[Finding]:
    conf = shared.conf
    described = _described(conf)
    known = unread.known(conf) | unread.of_backends(conf, described)
    drivers = {option.dest for option in configuration.driver_options()}
    for section, option in [*unread.unread(conf), *(unread.unread(conf, described) if described else ())]:
        if option is None:
            yield Finding(f"[{section}]", _advice(section, known, "section") + "; if it describes a backend, add it to "
                          "[DEFAULT] enabled_backends")
        elif others := [other for other in known if _plain(option) in known[other]]:
            yield Finding(f"[{section}] {option}", f"it is valid only in [{'], ['.join(others)}]: move it there")
        elif _plain(option) in drivers:
            yield Finding(f"[{section}] {option}",
                          "it is valid only in the section of a backend whose driver has this option")
        else:
            yield Finding(f"[{section}] {option}", _advice(option, known[section], "option"))


def _advice(name: str, known: Collection[str], kind: str) -> str:
    near = difflib.get_close_matches(name, known, 1, 0.8)
    return f"there is no such {kind}: " + (f"did you mean {near[0]}?" if near else "remove it")


def deprecated(shared: process.Process) -> Iterator[Finding]:
    """Options that are deprecated, or written with a deprecated name."""
    written = {(section, _plain(name)): name for section, name in unread.written(shared.conf)}
    for group, option in _options(shared.conf):
        here = group, option.dest
        if option.deprecated_for_removal and here in written:
            yield Finding(f"[{group}] {written[here]}", f"it is deprecated: {option.deprecated_reason or 'remove it'}")
        for old in option.deprecated_opts:
            place = old.group or group, _plain(old.name or option.name)
            if place in written and place != here:
                yield Finding(f"[{place[0]}] {written[place]}", f"it is deprecated: write [{group}] {option.dest}")


def _plain(name: str) -> str:
    return name.replace("-", "_")


def _described(conf: cfg.ConfigOpts) -> list[str]:
    """The backends whose drivers exist; registers the options of their sections."""
    from cinder_lite.volume import loading

    found = []
    for section in conf.enabled_backends:
        with contextlib.suppress(errors.Misconfigured):
            loading.load(conf, section)
            found.append(section)
    return found


def _options(conf: cfg.ConfigOpts) -> list[tuple[str, cfg.Opt]]:
    """(section, option) of every option that is read, those of the backends included."""
    _described(conf)
    return list(unread.registered(conf))


def values(shared: process.Process) -> Iterator[Finding]:
    """Options whose values are invalid."""
    for group, option in _options(shared.conf):
        try:
            (shared.conf if group == "DEFAULT" else shared.conf[group])[option.dest]
        except cfg.RequiredOptError:
            continue
        except cfg.Error as error:
            why = str(error).rpartition("is not valid: ")[2]
            yield Finding(f"[{group}] {option.name}", f"{why}; {option.help or ''}")


def _sections(shared: process.Process) -> Iterator[Finding]:
    """Backends without a section: with nothing but defaults, they are hardly intended."""
    conf = shared.conf
    there = {section for section, _ in unread.written(conf)}
    found = conf.get_location("enabled_backends")
    if found is not None and found.location.is_user_controlled:
        for section in conf.enabled_backends:
            if section not in there:
                yield Finding(f"[DEFAULT] enabled_backends: {section}", f"there is no section [{section}]")


def _refusals() -> Iterator[tuple[str, Callable[[cfg.ConfigOpts], object]]]:
    """(option, function that raises) for each reason why a daemon refuses to start; daemons call the same functions."""
    from cinder_lite.api import enforcer, installed, listener
    from cinder_lite.api.auth import strategy
    from cinder_lite.observe import log_setup, tracing
    from cinder_lite.scheduler import plugins as choice
    from cinder_lite.volume import loading

    yield from (("log", functools.partial(log_setup.check_writable, prog=prog)) for prog in DAEMONS)
    yield "[DEFAULT] state_path", lambda conf: host_lock.check_directory(conf.state_path)
    yield "[DEFAULT] auth_strategy", strategy.check_configuration
    yield "[DEFAULT] osapi_volume_listen", listener.check_address
    yield "[oslo_policy] policy_file", enforcer.Policy
    yield "installed packages", lambda _conf: installed.routes()
    yield "[DEFAULT] scheduler_default_filters", lambda conf: choice.load_filters(conf.scheduler_default_filters)
    yield "[DEFAULT] scheduler_default_weighers", lambda conf: choice.load_weighers(conf.scheduler_default_weighers)
    yield "[DEFAULT] enabled_backends", loading.enabled
    yield "[tracing] enabled", tracing.expect_library_if_enabled
    yield f"[{transport.NOTIFICATIONS}] transport_url", lambda conf: (
        notification_bus.is_enabled(conf) and notification_bus.Bus(conf))


def refused(shared: process.Process) -> Iterator[Finding]:
    """Options with which a daemon refuses to start."""
    reported = set()
    for where, expect in _refusals():
        try:
            expect(shared.conf)
        except cfg.ConfigFileValueError:
            continue  # reported among the values
        except (errors.Misconfigured, cfg.Error) as error:
            if str(error) not in reported:
                reported.add(str(error))
                yield Finding(where, str(error))


# -- what the options name

def _database(shared: process.Process) -> Iterator[Finding]:
    where = "[database] connection"
    try:
        where = f"database {drivers.description(shared.db.url)}"
        if why := drivers.replaced(shared.conf.database.connection):
            yield Finding(where, why)
        found, problems = migrate.current(shared.db), [*clusters.problems(shared.db)]
    except errors.Misconfigured as error:
        yield Finding(where, str(error))
        return
    except db.ERRORS as error:
        yield Finding(where, f"{reason(error)}; start it, or correct [database] connection")
        return
    if not migrate.suffices(found):
        yield Finding(where, f"it is at revision {found or 'none'}, this release needs {migrate.HEAD}: run "
                      "'cinder-lite-manage db sync'")
        return
    yield from (Finding(where, one) for one in problems)
    if not why and not problems:
        yield Finding(where)


def _broker(shared: process.Process) -> Iterator[Finding]:
    try:
        why = transport.unreachable(shared.transport)
    except errors.Misconfigured as error:
        yield Finding("[DEFAULT] transport_url", str(error))
        return
    yield Finding(f"broker {ACCOUNTS.sub('', shared.conf.transport_url)}",
                  why and f"{why}; start it, or correct transport_url")


def _brokers(shared: process.Process) -> Iterator[Finding]:
    """Options that do not suit a broker of several hosts."""
    options = shared.conf[transport.RABBIT]
    if "," not in urllib.parse.urlsplit(shared.conf.transport_url).netloc:
        return
    for name in ("rabbit_quorum_queue", "rabbit_transient_quorum_queue"):
        if not options[name]:
            yield Finding(f"[{transport.RABBIT}] {name}", "transport_url names several hosts, and messages are lost "
                          "with the host that has their queue: set it to true, and a new virtual host in transport_url")
    if not 0 < options.heartbeat_timeout_threshold <= SOON:
        yield Finding(f"[{transport.RABBIT}] heartbeat_timeout_threshold",
                      f"transport_url names several hosts, and the loss of one is noticed after "
                      f"{options.heartbeat_timeout_threshold} s: set it to 10, and heartbeat_rate to 2")


def _backends(shared: process.Process) -> Iterator[Finding]:
    from cinder_lite.volume import backends

    for section in shared.conf.enabled_backends:
        try:
            backend = backends.Backend(shared.conf, section)
        except errors.Misconfigured as error:
            yield Finding(f"backend {section}", str(error))
        else:
            if backend.cluster is not None:
                yield from _cluster(shared, backend)
            yield Finding(f"backend {backend.name}", backend.failure())


def _cluster(shared, backend):
    """What the hosts of a cluster must reach; the storage is compared with the cluster's id in the database."""
    with contextlib.suppress(*db.ERRORS), shared.db.read() as tx:
        row = members.find(tx, backend.cluster)
        backend.cluster_id = row and row.uuid
    local = [name for name, url in (("transport_url", shared.conf.transport_url), (
        "[database] connection", shared.conf.database.connection or "")) if url.startswith(("local:", "sqlite"))]
    if local:
        yield Finding(f"[{backend.section}] cluster", f"hosts of a cluster need one broker and one database: set "
                      f"{' and '.join(local)} to servers that all of them reach")


def _limits(shared: process.Process) -> Iterator[Finding]:
    """Limits of volume types that the backends of this host do not apply."""
    from cinder_lite.db import qos as qos_specs
    from cinder_lite.jobs.pool_capacity import Pool
    from cinder_lite.volume import backends, qos
    from cinder_lite.volume.drivers import base

    try:
        if migrate.current(shared.db) is None:
            return
        with shared.db.read() as tx:
            types = qos_specs.of_back_ends(tx)
    except (errors.Misconfigured, *db.ERRORS):
        return  # reported for the database
    for section in shared.conf.enabled_backends if types else ():
        try:
            backend = backends.Backend(shared.conf, section)
        except errors.Misconfigured:
            continue  # reported for the backend
        host, _, name = backend.name.partition("@")
        with contextlib.suppress(base.DriverError):
            pools = [Pool(host=host, backend=name, pool=pool.partition("#")[2], capabilities=values["capabilities"],
                          **{key: values[key] for key in ("thin", "thick", "multiattach", "online_extend")})
                     for pool, values in backend.measure()]
            for type_, _, text in qos.not_applied(types, pools):
                yield Finding(f"volume type {type_.name}", f"{text}: {qos.REMEDY}")


def _store(shared: process.Process) -> Iterator[Finding]:
    from cinder_lite.backup import stores
    from cinder_lite.backup.stores import base

    problem = None
    try:
        stores.load(shared.conf).check()
    except (base.StoreError, errors.Misconfigured) as error:
        problem = str(error)
    yield Finding(f"backup store {shared.conf.backup_driver}", problem)


CHECKS: tuple[Check, ...] = (_files, _unknown, deprecated, values, _sections, refused, _database, _broker, _brokers,
                             _backends, _limits, _store)
COMMANDS: Commands = {("config", "check"): (check, (), False)}
