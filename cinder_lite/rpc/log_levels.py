"""The log levels of a running process, looked at and changed by message."""

import logging

from cinder_lite import rpc

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")


def get(prefix):
    """{logger: level} of the loggers whose names begin with the prefix."""
    names = [name for name in logging.root.manager.loggerDict if name.startswith(prefix)]
    return {name: logging.getLevelName(logging.getLogger(name).getEffectiveLevel()) for name in sorted(names)}


def set(prefix, level):
    """Give the loggers whose names begin with the prefix that level; "" means all of the service's own."""
    for name in [prefix or "cinder_lite", *get(prefix or "cinder_lite.")]:
        logging.getLogger(name).setLevel(level)


class Logs(rpc.Interface):
    """What every service can be asked about its log."""

    @rpc.call
    def log_levels(self, ctx, prefix):
        """{logger: level} of the loggers whose names begin with the prefix."""
        return get(prefix)

    @rpc.cast
    def set_log_levels(self, ctx, prefix, level):
        """Give the loggers whose names begin with the prefix that level."""
        set(prefix, level)
