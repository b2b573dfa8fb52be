"""Finds the options in the configuration files that nothing reads, and names them in the log once."""

from __future__ import annotations

import glob
import logging
import os
from collections.abc import Collection, Iterable, Iterator

from oslo_config import cfg

from cinder_lite import conf as configuration

LOG = logging.getLogger(__name__)

#: Sections of libraries that read them by themselves.
OTHERS = ("keystone_authtoken", "nova", "service_user", "oslo_", "ssl", "cors", "privsep", "healthcheck", "profiler")
#: Options of the section DEFAULT that libraries read by themselves.
READ_ELSEWHERE = frozenset(("config_file", "config_dir", "transport_url", "rpc_response_timeout", "control_exchange",
                            "executor_thread_pool_size"))


def unread(conf: cfg.ConfigOpts, backends: Collection[str] = ()) -> list[tuple[str, str | None]]:
    """[(section, option)] in the order of the files; the option is None where nothing reads the section.

    Looks at the sections of those backends, whose options must be registered; without any at all other sections.
    """
    names = of_backends(conf, backends) if backends else known(conf)
    found: dict[tuple[str, str | None], None] = {}
    for section, option in written(conf):
        if section in names:
            if option.replace("-", "_") not in names[section]:
                found[section, option] = None
        elif not backends and section not in conf.enabled_backends and not section.startswith(OTHERS):
            found[section, None] = None
    return list(found)


def written(conf: cfg.ConfigOpts) -> Iterator[tuple[str, str]]:
    """(section, option) of every line of the configuration files."""
    for path in files(conf):
        sections: dict[str, dict[str, list[str]]] = {}
        cfg.ConfigParser(path, sections).parse()
        yield from ((section, option) for section, options in sections.items() for option in options)


def files(conf: cfg.ConfigOpts) -> list[str]:
    """The configuration's files, those of its directories included, in the order in which they are read."""
    return [*(conf.config_file or ()), *(
        path for directory in conf.config_dir or () for path in sorted(glob.glob(os.path.join(directory, "*.conf"))))]


def known(conf: cfg.ConfigOpts) -> dict[str, set[str]]:
    """{section: names of its options}, deprecated names included, without the sections of backends."""
    found = {group: _names(options) for group, options in configuration.own_options().items()}
    found["DEFAULT"] |= {option.dest for group, option in registered(conf) if group == "DEFAULT"} | READ_ELSEWHERE
    return found


def of_backends(conf: cfg.ConfigOpts, backends: Iterable[str]) -> dict[str, set[str]]:
    """The same of those backends."""
    options = list(registered(conf))
    return {name: _names(option for group, option in options if group == name) for name in backends}


def registered(conf: cfg.ConfigOpts) -> Iterator[tuple[str, cfg.Opt]]:
    """(section, option) of every option that is registered; oslo.config has no public call for it."""
    yield from (("DEFAULT", info["opt"]) for info in list(conf._opts.values()))
    for name, group in list(conf._groups.items()):
        yield from ((name, info["opt"]) for info in list(group._opts.values()))


def _names(options: Iterable[cfg.Opt]) -> set[str]:
    return {name for option in options
            for name in (option.dest, option.name, *(old.name for old in option.deprecated_opts if old.name))}


def log_unread(conf: cfg.ConfigOpts, backends: Collection[str] = ()) -> None:
    """Name in the log, in one line, what `unread` finds."""
    names = [f"[{section}]" if option is None else f"[{section}] {option}" for section,
             option in unread(conf, backends)]
    if names:
        LOG.warning("unknown options are ignored: %s", ", ".join(names))
