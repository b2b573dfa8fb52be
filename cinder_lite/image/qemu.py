"""Runs qemu-img to inspect, check and convert images, and parses its output."""

import re
import subprocess
from collections.abc import Callable

from cinder_lite import errors
from cinder_lite.concurrency import commands

PERCENT = re.compile(rb"\((\d+)\.\d+/100%\)")
#: Seconds that qemu-img may take to read a header, and to check all tables.
TIMEOUT, CHECK_TIMEOUT = 120, 3600
#: Exit statuses of `qemu-img check` that are accepted: leaked clusters, and a format without checks.
LEAKS, NO_CHECKS = 3, 63


class ConversionFailed(errors.Explained):
    """qemu-img failed; the text is its error message."""

    for_members = "the content of the image could not be converted"


def info(path: str, qemu_format: str, gigabytes: int, seconds: int) -> str:
    """The output of `qemu-img info` as JSON, limited to so many GiB of memory and seconds of CPU time."""
    return _run(["prlimit", f"--as={gigabytes * 1024**3}", f"--cpu={seconds}", "qemu-img", "info", "--output=json",
                 "-f", qemu_format, path])


def check(path: str, qemu_format: str) -> None:
    """Raise ConversionFailed for a file whose metadata is inconsistent, for example because it was truncated."""
    try:
        commands.run_command(["qemu-img", "check", "-q", "-f", qemu_format, path], timeout=CHECK_TIMEOUT)
    except subprocess.CalledProcessError as error:
        if error.returncode not in (LEAKS, NO_CHECKS):
            raise ConversionFailed(f"qemu-img finds it damaged: {_message(error)}") from error
    except subprocess.TimeoutExpired as error:
        raise ConversionFailed(f"qemu-img took longer than {CHECK_TIMEOUT} s to check the image") from error


def converted_size(path: str, qemu_format: str) -> int:
    """The largest size in bytes that the raw file `path` can have after conversion to that format."""
    output = _run(["qemu-img", "measure", "-f", "raw", "-O", qemu_format, path])
    return int(output.partition("required size: ")[2].split()[0])


def to_raw(path: str, qemu_format: str, destination: str, zeros: bool, progress: Callable[[int], object]) -> None:
    """Write the disk in an image file to the raw file or device `destination`, which must be large enough.

    `zeros`: the destination reads as zeros already. `progress(percent)` is called meanwhile and may raise.
    """
    hints = ["--target-is-zero"] if zeros else []
    _follow(["qemu-img", "convert", "-p", "-f", qemu_format, "-O", "raw", "-n", *hints, path, destination], progress)


def from_raw(path: str, qemu_format: str, destination: str, options: str | None,
             progress: Callable[[int], object]) -> None:
    """Create the file `destination` in that format with the content of the raw file or device `path`."""
    more = ["-o", options] if options else []
    _follow(["qemu-img", "convert", "-p", "-f", "raw", "-O", qemu_format, *more, path, destination], progress)


def _run(argv):
    try:
        return commands.run_command(argv, timeout=TIMEOUT)
    except subprocess.CalledProcessError as error:
        raise ConversionFailed(_message(error)) from error
    except subprocess.TimeoutExpired as error:
        raise ConversionFailed(f"qemu-img took longer than {TIMEOUT} s to look at the image") from error


def _follow(argv, progress):
    def report(data):
        found = PERCENT.findall(data)
        if found:
            progress(int(found[-1]))

    try:
        commands.follow_command(argv, report)
    except subprocess.CalledProcessError as error:
        raise ConversionFailed(_message(error)) from error


def _message(error):
    lines = [line for line in re.split(r"[\r\n]+", error.stderr or "") if line.strip() and "/100%)" not in line]
    if lines:
        return " ".join(line.strip() for line in lines[-3:])
    return f"{error.cmd[0]} ended with status {error.returncode}"
