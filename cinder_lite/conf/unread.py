"""What stands in the configuration's files and means nothing here: said once, so that nobody relies on it."""

import glob
import logging
import os

from oslo_config import cfg

from cinder_lite import conf as configuration

LOG = logging.getLogger(__name__)

#: Sections of libraries that read them by themselves.
OTHERS = ("keystone_authtoken", "nova", "service_user", "oslo_", "ssl", "cors", "privsep", "healthcheck", "profiler")
#: Options of the section DEFAULT that libraries read by themselves.
READ_ELSEWHERE = frozenset(("config_file", "config_dir", "transport_url", "rpc_response_timeout", "control_exchange",
                            "executor_thread_pool_size"))


def unread(conf, backends=()):
    """[(section, option)] in the order of the files; the option is None where the whole section is of no use.

    Looks at the sections of those backends, whose options must be registered; without any at all other sections.
    """
    names, found = of_backends(conf, backends) if backends else known(conf), {}
    for section, option in written(conf):
        if section in names:
            if option.replace("-", "_") not in names[section]:
                found[section, option] = None
        elif not backends and section not in conf.enabled_backends and not section.startswith(OTHERS):
            found[section, None] = None
    return list(found)


def written(conf):
    """(section, option) of everything that stands in the configuration's files."""
    for path in files(conf):
        sections = {}
        cfg.ConfigParser(path, sections).parse()
        yield from ((section, option) for section, options in sections.items() for option in options)


def files(conf):
    """The configuration's files, those of its directories included, in the order in which they are read."""
    return [*(conf.config_file or ()), *(
        path for directory in conf.config_dir or () for path in sorted(glob.glob(os.path.join(directory, "*.conf"))))]


def known(conf):
    """{section: names of its options}, names that were given up included, but for the sections of backends."""
    found = {group: _names(options) for group, options in configuration.own_options().items()}
    found["DEFAULT"] |= {name.replace("-", "_") for name in conf._opts} | READ_ELSEWHERE
    return found


def of_backends(conf, backends):
    """The same of those backends."""
    return {name: _names(one["opt"] for one in conf._groups[name]._opts.values()) for name in backends}


def _names(options):
    return {name for option in options
            for name in (option.dest, option.name, *(old.name for old in option.deprecated_opts if old.name))}


def tell(conf, backends=()):
    """Name in the log, in one line, what `unread` finds."""
    names = [f"[{section}]" if option is None else f"[{section}] {option}" for section, option in unread(conf, backends)]
    if names:
        LOG.warning("these settings mean nothing here and are ignored: %s", ", ".join(names))
