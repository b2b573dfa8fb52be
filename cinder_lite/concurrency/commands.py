"""Run external commands without stopping the other work of the process."""

import logging
import os
import shlex
import subprocess
from collections.abc import Callable, Mapping, Sequence
from typing import IO, Any

from cinder_lite import concurrency

LOG = logging.getLogger(__name__)


def run_command(argv: Sequence[str], stdin: str | None = None, timeout: float = 60,
                env: Mapping[str, str] | None = None) -> str:
    """Run a command and return its standard output.

    `argv` is a list, never a shell line; `timeout` is in seconds; `env` is added to the environment. Raises
    subprocess.CalledProcessError (with `stderr`) when the command ends with another status than 0, and
    subprocess.TimeoutExpired after killing it.
    """
    return concurrency.in_thread(_run_command, argv, stdin, timeout, env)


def _run_command(argv, stdin, timeout, env):
    original = concurrency.native("subprocess")
    LOG.debug("running '%s'", shlex.join(argv))
    try:
        done = original.run(argv, input=stdin, capture_output=True, text=True, timeout=timeout, close_fds=True,
                            env={**os.environ, **env} if env else None)
    except original.TimeoutExpired as late:  # another class than subprocess.TimeoutExpired when patched
        raise subprocess.TimeoutExpired(late.cmd, late.timeout, late.output, late.stderr) from None
    if done.returncode != 0:
        raise subprocess.CalledProcessError(done.returncode, argv, done.stdout, done.stderr)
    return done.stdout


def start_command(argv: Sequence[str], output: IO[str] | None = None, pass_fds: Sequence[int] = (),
                  cwd: str | None = None, env: Mapping[str, str] | None = None) -> Any:
    """Start a command without waiting for it, and return its unpatched subprocess.Popen.

    It runs in a session of its own: Ctrl-C in the terminal stops the service, which then stops the command. `output`
    is a file for both its outputs, without which they stay the service's; `env` is added to the environment.
    """
    original = concurrency.native("subprocess")
    return original.Popen(argv, stdin=None if output is None else original.DEVNULL, stdout=output, stderr=output,
                          pass_fds=pass_fds, cwd=cwd, env={**os.environ, **(env or {})}, start_new_session=True)


def follow_command(argv: Sequence[str], on_output: Callable[[bytes], object]) -> None:
    """Run a command without a time limit and pass its output on as it comes; an error of `on_output` kills it.

    It is killed as well when this process dies. Raises subprocess.CalledProcessError like `run_command`.
    """
    concurrency.in_thread(_follow_command, argv, on_output)


def _follow_command(argv, on_output):
    original = concurrency.native("subprocess")
    LOG.debug("running '%s'", shlex.join(argv))
    with original.Popen(["setpriv", "--pdeathsig", "KILL", *argv], stdin=original.DEVNULL, stdout=original.PIPE,
                        stderr=original.STDOUT) as running:
        try:
            tail = b""
            while data := running.stdout.read1(4096):
                tail = (tail + data)[-4096:]
                on_output(data)
        except BaseException:
            running.kill()
            raise
    if running.returncode != 0:
        raise subprocess.CalledProcessError(running.returncode, argv, stderr=tail.decode(errors="replace"))
