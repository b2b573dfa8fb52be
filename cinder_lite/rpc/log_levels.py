"""Read and change the log levels of a running process, directly or by RPC."""

import logging

from cinder_lite import context
from cinder_lite.rpc import interface

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")


def get(prefix: str) -> dict[str, str]:
    """{logger: level} of the loggers whose names begin with the prefix."""
    names = [name for name in logging.root.manager.loggerDict if name.startswith(prefix)]
    return {name: logging.getLevelName(logging.getLogger(name).getEffectiveLevel()) for name in sorted(names)}


def set(prefix: str, level: str) -> None:
    """Set the level of the loggers whose names begin with the prefix; "" means all of cinder_lite."""
    for name in [prefix or "cinder_lite", *get(prefix or "cinder_lite.")]:
        logging.getLogger(name).setLevel(level)


class LogLevels(interface.Interface):
    """The part of every service's interface that concerns its log levels."""

    @interface.call
    def log_levels(self, ctx: context.Context, prefix: str) -> dict[str, str]:
        """{logger: level} of the loggers whose names begin with the prefix."""
        return get(prefix)

    @interface.cast
    def set_log_levels(self, ctx: context.Context, prefix: str, level: str) -> None:
        """Set the level of the loggers whose names begin with the prefix."""
        set(prefix, level)
