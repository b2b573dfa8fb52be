"""cinder-lite-manage config check: settings that mean nothing or are wrong, and what cannot be reached by them."""

import contextlib
import dataclasses
import difflib
import functools
import os
import re

from oslo_config import cfg

from cinder_lite import db, errors
from cinder_lite.conf import unread
from cinder_lite.db import migrate
from cinder_lite.host import effective_user
from cinder_lite.manage import OK, VIOLATED, Failed, counted
from cinder_lite.manage.database import reason as said
from cinder_lite.rpc import notification_bus, transport

DAEMONS = tuple(f"cinder-lite-{name}" for name in ("all", "api", "scheduler", "volume", "backup"))
#: Names and passwords in the URL of a broker, which may have several hosts.
ACCOUNTS = re.compile(r"[^/,@]*@")


@dataclasses.dataclass(frozen=True)
class Found:
    """One thing that was looked at. `wrong` says what is wrong with it and what to do; None when all is well."""

    what: str
    wrong: str | None = None


def check(shared, _args):
    """look for settings that are unknown, deprecated or wrong, and try what they lead to; ends with 1 for any"""
    wrong = 0
    for found in findings(shared):
        print(f"ok       {found.what}" if found.wrong is None else f"PROBLEM  {found.what}: {found.wrong}", flush=True)
        wrong += found.wrong is not None
    print(f"{counted(wrong, 'problem')}." if wrong else "Nothing is wrong with the settings.")
    return VIOLATED if wrong else OK


def findings(shared, checks=None):
    """What the checks find. What needs a setting that is wrong is not looked at: that setting is told of."""
    for one in checks or CHECKS:
        with contextlib.suppress(cfg.ConfigFileValueError):
            yield from one(shared)


# -- what stands in the files

def _files(shared):
    paths = unread.files(shared.conf)
    for path in paths:
        if not os.access(path, os.R_OK):
            raise Failed(f"{path} cannot be read by {effective_user.name()}, as whom the services run: give it to their group (chgrp) "
                         "and let that read it (chmod 640)")
    yield Found(f"read {', '.join(paths)}" if paths else "no file of settings was found: the defaults are used")


def _unknown(shared):
    from cinder_lite.volume.backends import driver_options

    conf = shared.conf
    described = _described(conf)
    known = unread.known(conf) | unread.of_backends(conf, described)
    drivers = {option.dest for option in driver_options()}
    for section, option in [*unread.unread(conf), *(unread.unread(conf, described) if described else ())]:
        if option is None:
            yield Found(f"[{section}]", _advice(section, known, "section") + "; if it describes a backend, name it in "
                        "[DEFAULT] enabled_backends")
        elif others := [other for other in known if _plain(option) in known[other]]:
            yield Found(f"[{section}] {option}", f"it is read only in [{'], ['.join(others)}]: move it there")
        elif _plain(option) in drivers:
            yield Found(f"[{section}] {option}", "it is read only in the section of a backend whose driver has it")
        else:
            yield Found(f"[{section}] {option}", _advice(option, known[section], "option"))


def _advice(name, known, kind):
    near = difflib.get_close_matches(name, known, 1, 0.8)
    return f"there is no such {kind}: " + (f"did you mean {near[0]}?" if near else "remove it")


def deprecated(shared):
    written = {(section, _plain(name)): name for section, name in unread.written(shared.conf)}
    for group, option in _options(shared.conf):
        here = group, option.dest
        if option.deprecated_for_removal and here in written:
            yield Found(f"[{group}] {written[here]}", f"it is deprecated: {option.deprecated_reason or 'remove it'}")
        for old in option.deprecated_opts:
            place = old.group or group, _plain(old.name or option.name)
            if place in written and place != here:
                yield Found(f"[{place[0]}] {written[place]}", f"it is deprecated: write [{group}] {option.dest}")


def _plain(name):
    return name.replace("-", "_")


def _described(conf):
    """The backends whose drivers there are: what their sections may say is registered."""
    from cinder_lite.volume import backends

    found = []
    for section in conf.enabled_backends:
        with contextlib.suppress(errors.Misconfigured):
            backends.options(conf, section)
            found.append(section)
    return found


def _options(conf):
    """(section, option) of every option that is read, those of the backends included."""
    _described(conf)
    for info in list(conf._opts.values()):
        yield "DEFAULT", info["opt"]
    for name, group in list(conf._groups.items()):
        for info in list(group._opts.values()):
            yield name, info["opt"]


def values(shared):
    for group, option in _options(shared.conf):
        try:
            (shared.conf if group == "DEFAULT" else shared.conf[group])[option.dest]
        except cfg.RequiredOptError:
            continue
        except cfg.Error as error:
            reason = str(error).rpartition("is not valid: ")[2]
            yield Found(f"[{group}] {option.name}", f"{reason}; {option.help or ''}")


def _sections(shared):
    """A backend without a section has only defaults, which nobody wants who has named it."""
    conf = shared.conf
    there = {section for section, _ in unread.written(conf)}
    if conf.get_location("enabled_backends").location.is_user_controlled:
        for section in conf.enabled_backends:
            if section not in there:
                yield Found(f"[DEFAULT] enabled_backends: {section}", f"no section [{section}] describes it")


def _refusals():
    """(where it stands, function of the configuration) for what daemons refuse to start with: they call the same functions."""
    from cinder_lite.api import policy
    from cinder_lite.api import service as api
    from cinder_lite.api.auth import strategy
    from cinder_lite.observe import tracing
    from cinder_lite.scheduler import choose
    from cinder_lite.service import daemon
    from cinder_lite.volume import backends

    yield from (("log", functools.partial(daemon.expect_log, prog=prog)) for prog in DAEMONS)
    yield "[DEFAULT] state_path", lambda conf: daemon.expect_locks(conf.state_path)
    yield "[DEFAULT] auth_strategy", strategy.expect_usable
    yield "[DEFAULT] osapi_volume_listen", api.expect_address
    yield "[oslo_policy] policy_file", policy.Policy
    yield "[DEFAULT] scheduler_default_filters", lambda conf: choose.load_filters(conf.scheduler_default_filters)
    yield "[DEFAULT] scheduler_default_weighers", lambda conf: choose.load_weighers(conf.scheduler_default_weighers)
    yield "[DEFAULT] enabled_backends", backends.enabled
    yield "[tracing] enabled", lambda conf: conf.tracing.enabled and tracing.expect_library()
    yield f"[{transport.NOTIFICATIONS}] transport_url", lambda conf: notification_bus.is_enabled(conf) and notification_bus.Bus(conf)


def refused(shared):
    told = set()
    for where, expect in _refusals():
        try:
            expect(shared.conf)
        except cfg.ConfigFileValueError:
            continue  # it is told of among the values
        except (errors.Misconfigured, cfg.Error) as error:
            if str(error) not in told:
                told.add(str(error))
                yield Found(where, str(error))


# -- what they lead to

def _database(shared):
    where = "[database] connection"
    try:
        where = f"database {shared.db.url.render_as_string(hide_password=True)}"
        found = migrate.current(shared.db)
    except errors.Misconfigured as error:
        yield Found(where, str(error))
        return
    except db.ERRORS as error:
        yield Found(where, f"{said(error)}; start it, or correct [database] connection")
        return
    if not migrate.suffices(found):
        yield Found(where, f"it is at revision {found or 'none'}, this release needs {migrate.HEAD}: run "
                    "'cinder-lite-manage db sync'")
    else:
        yield Found(where)


def _broker(shared):
    try:
        why = transport.unreachable(shared.transport)
    except errors.Misconfigured as error:
        yield Found("[DEFAULT] transport_url", str(error))
        return
    yield Found(f"broker {ACCOUNTS.sub('', shared.conf.transport_url)}",
                why and f"{why}; start it, or correct transport_url")


def _backends(shared):
    from cinder_lite.volume import backends

    for section in shared.conf.enabled_backends:
        try:
            backend = backends.Backend(shared.conf, section)
        except errors.Misconfigured as error:
            yield Found(f"backend {section}", str(error))
        else:
            yield Found(f"backend {backend.name}", backend.examine())


def _limits(shared):
    """Limits that a volume type has and the backends described here do not apply."""
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
        return  # said of the database
    for section in shared.conf.enabled_backends if types else ():
        try:
            backend = backends.Backend(shared.conf, section)
        except errors.Misconfigured:
            continue  # said of the backend
        host, _, name = backend.name.partition("@")
        with contextlib.suppress(base.DriverError):
            pools = [Pool(host=host, backend=name, pool=pool.partition("#")[2], capabilities=values["capabilities"],
                          **{key: values[key] for key in ("thin", "thick", "multiattach", "online_extend")})
                     for pool, values in backend.measure()]
            for type_, _, text in qos.not_applied(types, pools):
                yield Found(f"volume type {type_.name}", f"{text}: {qos.REMEDY}")


def _store(shared):
    from cinder_lite.backup import stores
    from cinder_lite.backup.stores import base

    wrong = None
    try:
        stores.load(shared.conf).check()
    except (base.StoreError, errors.Misconfigured) as error:
        wrong = str(error)
    yield Found(f"backup store {shared.conf.backup_driver}", wrong)


CHECKS = (_files, _unknown, deprecated, values, _sections, refused, _database, _broker, _backends, _limits, _store)
COMMANDS = {("config", "check"): (check, (), False)}
