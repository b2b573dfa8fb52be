"""The commands of qemu-img that images need, and what their output says."""

import re
import subprocess

from cinder_lite import concurrency, errors

PERCENT = re.compile(rb"\((\d+)\.\d+/100%\)")
#: Seconds for which qemu-img may look at a header, and at all tables.
PATIENCE, LONG_PATIENCE = 120, 3600
#: Statuses of `qemu-img check` that are no harm: unused room, and a format without checks.
LEAKS, NO_CHECKS = 3, 63


class ConversionFailed(errors.Explained):
    """qemu-img failed; the text says what it said."""

    for_members = "the content of the image could not be converted"


def info(path, qemu_format, gigabytes, seconds):
    """What qemu-img says of the file as JSON, in so much memory and time of a processor."""
    return _run(["prlimit", f"--as={gigabytes * 1024**3}", f"--cpu={seconds}", "qemu-img", "info", "--output=json",
                 "-f", qemu_format, path])


def check(path, qemu_format):
    """Refuse a file whose own bookkeeping is wrong, as far as qemu-img can tell: one that was cut off, say."""
    try:
        concurrency.run_command(["qemu-img", "check", "-q", "-f", qemu_format, path], timeout=LONG_PATIENCE)
    except subprocess.CalledProcessError as error:
        if error.returncode not in (LEAKS, NO_CHECKS):
            raise ConversionFailed(f"qemu-img finds it damaged: {_said(error)}") from error
    except subprocess.TimeoutExpired as error:
        raise ConversionFailed(f"qemu-img took longer than {LONG_PATIENCE} s to check the image") from error


def room(path, qemu_format):
    """Bytes that the raw file `path` takes at most when it is written in that format."""
    said = _run(["qemu-img", "measure", "-f", "raw", "-O", qemu_format, path])
    return int(re.search(r"required size: (\d+)", said)[1])


def to_raw(path, qemu_format, destination, zeros, progress):
    """Write the disk in a file to the raw file or device `destination`, which is large enough.

    `zeros` says that the destination reads as zeros already. `progress(percent)` is called meanwhile and may raise.
    """
    hints = ["--target-is-zero"] if zeros else []
    _follow(["qemu-img", "convert", "-p", "-f", qemu_format, "-O", "raw", "-n", *hints, path, destination], progress)


def from_raw(path, qemu_format, destination, options, progress):
    """Make `destination` a file of that format with the content of the raw file or device `path`."""
    more = ["-o", options] if options else []
    _follow(["qemu-img", "convert", "-p", "-f", "raw", "-O", qemu_format, *more, path, destination], progress)


def _run(argv):
    try:
        return concurrency.run_command(argv, timeout=PATIENCE)
    except subprocess.CalledProcessError as error:
        raise ConversionFailed(_said(error)) from error
    except subprocess.TimeoutExpired as error:
        raise ConversionFailed(f"qemu-img took longer than {PATIENCE} s to look at the image") from error


def _follow(argv, progress):
    def seen(data):
        found = PERCENT.findall(data)
        if found:
            progress(int(found[-1]))

    try:
        concurrency.follow_command(argv, seen)
    except subprocess.CalledProcessError as error:
        raise ConversionFailed(_said(error)) from error


def _said(error):
    lines = [line for line in re.split(r"[\r\n]+", error.stderr or "") if line.strip() and "/100%)" not in line]
    if lines:
        return " ".join(line.strip() for line in lines[-3:])
    return f"{error.cmd[0]} ended with status {error.returncode}"
