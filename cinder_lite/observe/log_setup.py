"""Set up logging as configured, with the request's id in every line and without secrets."""

import os
import tempfile

from oslo_config import cfg
from oslo_log import log

from cinder_lite import errors
from cinder_lite.observe import log_masking

#: Levels of chatty libraries.
LEVELS = ("amqp=WARN", "kombu=WARN", "stevedore=WARN", "oslo_messaging=WARN", "taskflow=WARN", "alembic=WARN",
          "waitress=WARN", "waitress.queue=ERROR")


def set_up(conf: cfg.ConfigOpts, prog: str) -> None:
    """Log to the configured file, or to standard error. Raises Misconfigured when the log cannot be written."""
    log.set_defaults(default_log_levels=[*log.get_default_log_levels(), *LEVELS])
    if conf.log_dir and not conf.log_file:
        conf.set_default("log_file", f"{prog}.log")
    if not conf.log_file and not conf.use_stderr and not conf.use_journal and not conf.use_syslog:
        conf.set_default("use_stderr", True)
    check_writable(conf, prog)
    try:
        log.setup(conf, prog)
    except (OSError, log.LogConfigError) as error:
        raise errors.Misconfigured(f"the log cannot be written: {error}") from error
    log_masking.install()


def check_writable(conf: cfg.ConfigOpts, prog: str) -> None:
    """Raise Misconfigured when the log of that daemon could not be written. Leaves no file behind."""
    wanted = conf.log_config_append or os.path.join(conf.log_dir or "", conf.log_file or f"{prog}.log")
    try:
        if conf.log_config_append:
            open(wanted).close()
        elif conf.log_file or conf.log_dir:
            if os.path.exists(wanted):
                open(wanted, "a").close()
            else:
                tempfile.TemporaryFile(dir=os.path.dirname(wanted) or ".").close()
    except OSError as error:
        raise errors.Misconfigured(f"the log cannot be written: {error}") from error
