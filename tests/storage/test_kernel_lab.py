"""The kernel lab: the environment of a command, its results, and the cleanup."""

import os
import pathlib
import re
import signal
import subprocess
import uuid

import pytest

from tests.services.processes import until

TOP = pathlib.Path(__file__).resolve().parents[2]
LAB = TOP / "tools/kernel-lab"
#: Sends 10 MB over the network between the hosts, or fails.
TALK = """\
import socket, subprocess, sys
serving = socket.create_server(("10.90.0.2", 7)) if sys.argv[1] == "serve" else None
if serving:
    print("serving", flush=True)
    serving.accept()[0].sendall(b"hello" * 2**21)
else:
    try:
        text = socket.create_connection(("10.90.0.2", 7), timeout=float(sys.argv[2])).makefile("rb").read()
        print(text[:5].decode(), len(text))
    except OSError as error:
        sys.exit(type(error).__name__)
"""


def lab(*arguments, **options):
    return subprocess.run([LAB, *arguments], capture_output=True, text=True, timeout=300, **options)


def test_status_and_both_streams_come_back():
    done = lab("--", "sh", "-c", "id -u; uname -r; echo wrong >&2; exit 7")
    assert (done.returncode, done.stderr) == (7, "wrong\n")
    assert done.stdout.splitlines()[0] == "0"


def test_a_command_that_is_not_there_is_said():
    done = lab("--", "no-such-command")
    assert done.returncode == 127
    assert "no-such-command: No such file or directory" in done.stderr


@pytest.mark.parametrize("words, said", [
    (["--root", "/nowhere"], "/nowhere is not a Debian; tools/chroot-check makes one"),
    (["--memory", "2"], "'2' is not a size")])
def test_what_cannot_be_is_said_before_anything_starts(words, said):
    done = lab(*words, "--", "true")
    assert (done.returncode, said in done.stderr) == (2, True), done.stderr


def test_a_host_that_ends_before_it_is_up_is_said_with_its_last_words():
    done = lab("--hosts", "2", "--memory", "16M", "--", "true")
    assert done.returncode == 1
    *words, last = done.stderr.splitlines()
    assert words and last == "kernel-lab: a host has ended before it was up"


def test_a_command_that_its_kernel_kills_for_want_of_memory_is_told_so():
    done = lab("--hosts", "2", "--memory", "256M", "--", "python3", "-c",
               "held = []\nwhile True: held.append(b'x' * 2**20)")
    assert done.returncode == 128 + signal.SIGKILL
    assert "Out of memory: Killed process" in done.stderr


def test_what_is_written_stays_in_the_lab_but_for_the_results(tmp_path):
    inside, outside = tmp_path / "results", tmp_path / "file"
    outside.write_text("as it was")
    done = lab("--results", inside, "--", "sh", "-c", f"echo new >{outside}; cat {outside}; echo kept >{inside}/file")
    assert done.stdout == "new\n", done.stderr
    assert outside.read_text() == "as it was"
    assert (inside / "file").read_text() == "kept\n"


def test_disks_are_empty_and_carry_logical_volumes():
    script = """
        set -e
        set -- $KERNEL_LAB_DISKS
        exec 3>&1 >/dev/null
        vgcreate both "$@"
        lvcreate -L 256M -n one both
        lvcreate -L 600M -T both/pool
        lvcreate -V 1G -T both/pool -n thin
        lvcreate -s both/thin -n taken
        cmp -n 1000000 /dev/both/thin /dev/zero
        lvs --noheadings -o lv_name,lv_size both >&3
        echo $# >&3
    """
    done = lab("--disk", "512M", "--disk", "1G", "--", "sh", "-c", script)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["one", "256.00m", "pool", "600.00m", "taken", "1.00g", "thin", "1.00g", "2"]


def test_two_hosts_talk_until_the_cable_is_pulled():
    script = f"""
        set -e
        on() {{ host=$1; shift; {LAB} --on $host -- "$@"; }}
        [ "$(hostname) $(on 2 hostname)" = "lab1 lab2" ]
        [ "$KERNEL_LAB_HOSTS" = "10.90.0.1 10.90.0.2" ]
        mkfifo /run/said
        on 2 python3 -c '{TALK}' serve >/run/said & read said </run/said
        python3 -c '{TALK}' get 60
        wait
        on 2 awk '/^Tcp: [0-9]/ {{ print ($13 < 200 ? "few" : $13), "sent again" }}' /proc/net/snmp
        on 254 ip link set lan2 nomaster
        on 2 hostname
        python3 -c '{TALK}' get 1 2>&1 || true
        on 254 ip link set lan2 master lan
        on 2 python3 -c '{TALK}' serve >/run/said & read said </run/said
        python3 -c '{TALK}' get 60
        wait
        on 2 sh -c 'exit 5' || echo $?
    """
    done = lab("--hosts", "2", "--", "bash", "-c", script)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "hello 10485760\nfew sent again\nlab2\nTimeoutError\nhello 10485760\n5\n"


def test_on_a_host_that_has_not_the_directory_a_command_runs_in_its_root():
    done = lab("--hosts", "2", "--", "sh", "-c", f"mkdir /run/here && cd /run/here && {LAB} --on 2 -- pwd")
    assert done.stdout == "/\n", done.stderr


def processes(mark):
    """The processes whose command line holds the text."""
    found = []
    for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if mark.encode() in path.read_bytes() and int(path.parent.name) != os.getpid():
                found.append(int(path.parent.name))
        except OSError:
            continue
    return found


def kernels_of(pid):
    """The hosts of the lab with that process number."""
    found, parents = [], {}
    for path in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            number, name, rest = re.fullmatch(r"(\d+) \((.*)\) (.*)", path.read_text().strip(), re.S).groups()
        except OSError:
            continue
        parents[int(number)] = int(rest.split()[1]), name
    for number, (above, name) in parents.items():
        while name.startswith("linux") and above in parents:
            if above == pid:
                found.append(number)
            above = parents[above][0]
    return found


def start_and_kill(number, tmp_path):
    """Start a lab, end it by the signal when its command runs, and wait until its processes are gone."""
    mark = f"lab-mark-{uuid.uuid4()}"
    began = tmp_path / "began"
    running = subprocess.Popen([LAB, "--disk", "1G", "--results", tmp_path, "--", "sh", "-c",
                                f": {mark}; touch {began}; sleep 1000"], stdout=subprocess.DEVNULL)
    until(began.exists, limit=120, what="the command")
    kernels = kernels_of(running.pid)
    assert kernels or pathlib.Path("/sys/class/misc/device-mapper").exists()
    running.send_signal(number)
    assert running.wait(30) in (-number, 128 + number)
    until(lambda: not processes(mark) and not any(os.path.exists(f"/proc/{pid}") for pid in kernels), limit=30,
          what="the end of the lab's processes")


def test_nothing_stays_when_it_is_ended_or_killed(tmp_path):
    before = pathlib.Path("/proc/mounts").read_text(), sorted(os.listdir("/sys/class/net"))
    for number in (signal.SIGTERM, signal.SIGKILL):
        start_and_kill(number, tmp_path / str(number))
    assert (pathlib.Path("/proc/mounts").read_text(), sorted(os.listdir("/sys/class/net"))) == before


def test_where_the_kernel_has_device_mapper_it_runs_on_loop_devices():
    """The lab's own kernel is one that has it."""
    script = f"""
        {LAB} --disk 256M --disk 256M -- sh -c 'echo $KERNEL_LAB_DISKS; vgcreate -qq v $KERNEL_LAB_DISKS &&
            lvcreate -qq -L 300M -n one v && lvcreate -qq -s -L 32M -n two v/one && exit 3'
        echo $?; ls /dev/mapper; cat /sys/block/loop*/loop/backing_file
    """
    done = lab("--", "sh", "-c", script)
    assert done.stdout.split() == ["/dev/loop0", "/dev/loop1", "3", "control"], done.stderr
