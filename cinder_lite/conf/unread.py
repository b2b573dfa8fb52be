"""What stands in the configuration's files and means nothing here: said once, so that nobody relies on it."""

import logging

from oslo_config import cfg

LOG = logging.getLogger(__name__)

#: Sections of libraries that read them by themselves.
OTHERS = ("keystone_authtoken", "nova", "service_user", "oslo_", "ssl", "cors", "privsep", "healthcheck", "profiler")
#: Options of the section DEFAULT that libraries read by themselves.
READ_ELSEWHERE = frozenset(("config_file", "config_dir", "transport_url", "rpc_response_timeout", "control_exchange",
                            "executor_thread_pool_size"))


def unread(conf):
    """[(section, option)] in the order of the files; the option is None where the whole section is of no use."""
    known, found = _known(conf), {}
    for path in [*(conf.config_file or ()), *_in_directories(conf)]:
        sections = {}
        cfg.ConfigParser(path, sections).parse()
        for section, options in sections.items():
            if section.startswith(OTHERS):
                continue
            if section not in known:
                found[section, None] = None
                continue
            found |= {(section, name): None for name in options if name.replace("-", "_") not in known[section]}
    return list(found)


def _in_directories(conf):
    import glob
    import os

    return [path for directory in conf.config_dir or () for path in sorted(glob.glob(os.path.join(directory, "*.conf")))]


def _known(conf):
    """{section: names of its options}, names that were given up included."""
    from cinder_lite import conf as configuration

    known = {}
    for group, options in configuration.list_opts():
        names = known.setdefault(group, set())
        for option in options:
            names |= {option.dest, option.name, *(old.name for old in option.deprecated_opts if old.name)}
    known["DEFAULT"] |= {name.replace("-", "_") for name in conf._opts} | READ_ELSEWHERE
    backend = known.pop("backend_name")
    return known | dict.fromkeys(conf.enabled_backends, backend)


def tell(conf):
    """Name in the log, in one line, what is of no use."""
    names = [f"[{section}]" if option is None else f"[{section}] {option}" for section, option in unread(conf)]
    if names:
        LOG.warning("these settings mean nothing here and are ignored: %s", ", ".join(names))
