"""Runs cinder-lite-all with all data in one directory, runs the demonstration and serves until Ctrl-C."""

import argparse
import configparser
import contextlib
import ctypes
import fcntl
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request

ENVIRONMENT = dict(os.environ)
# For this program only, which does not patch the standard library. The service gets the unchanged environment.
os.environ["CINDER_LITE_CONCURRENCY"] = "threading"

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "installer"))

import login  # noqa: E402
import loop_group  # noqa: E402
from demonstration import PROJECT, Demonstration, Failed, Service  # noqa: E402

from cinder_lite.client import local  # noqa: E402
from cinder_lite.volume.targets import base as targets  # noqa: E402
from cinder_lite.volume.targets import nbd, tgtd  # noqa: E402

#: Seconds within which the service must answer.
START = 60
#: The first free one is the iSCSI port.
ISCSI_PORTS = range(3260, 3360)

CONFIGURATION = """\
# Written once by tools/quickstart; you can edit it. All options: etc/cinder/cinder.conf.sample
[DEFAULT]
host = quickstart
state_path = {state}
log_file = {state}/cinder-lite.log
osapi_volume_listen = 127.0.0.1
osapi_volume_listen_port = {port}
auth_strategy = noauth
enabled_backends = {driver}
backup_driver = posix
backup_posix_path = {state}/backups
quota_volumes = -1
quota_snapshots = -1
quota_gigabytes = -1
quota_backups = -1
quota_backup_gigabytes = -1

[database]
connection = sqlite:///{state}/cinder.sqlite

[{driver}]
volume_driver = {driver}
volume_backend_name = {driver}
{place}
target_helper = {helper}
target_ip_address = 127.0.0.1
target_port = {target_port}
tgt_control_port = {target_port}
"""
#: The file of the volume group's loop device, in the state directory.
GROUP_FILE = "volume-group"


class Stop(Exception):
    """Raised by Ctrl-C, SIGTERM and SIGHUP."""


def say(text, seconds=None, facts=""):
    """Print one line: the step, its duration in seconds, its result."""
    if seconds is None:
        print(text, flush=True)
    else:
        print(f"{text:<58}{seconds:7.2f} s   {facts}".rstrip(), flush=True)


def fail(text):
    raise SystemExit(f"quickstart: {text}")


def main():
    arguments = parse()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop)
    state = os.path.abspath(arguments.state)
    again = os.path.exists(os.path.join(state, "cinder.conf"))
    with contextlib.ExitStack() as started:
        try:
            lock(state, started)
            config = configure(state, arguments)
            say(f"{'Using the existing data in' if again else 'All data is in'} {state}")
            endpoint = start(state, config, started)
            held = demonstrate(endpoint, state)
            if not arguments.once:
                usage(endpoint, state, config)
                serve(started.service)
        except Stop:
            say("\nStopping")
            return 130 if arguments.once else 0
    return 0 if held or not arguments.once else 1


def parse():
    parser = argparse.ArgumentParser(prog="tools/quickstart")
    parser.add_argument("--once", action="store_true")
    parser.add_argument("--state", default=os.path.dirname(local.STATE_FILE))
    parser.add_argument("--port", type=int)
    parser.add_argument("--target", choices=("tgt", "nbd"))
    parser.add_argument("--driver", choices=("lvm", "file"))
    return parser.parse_args()


def stop(_number, _frame):
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    raise Stop


def lock(state, started):
    """Lock the state directory against another quickstart."""
    os.makedirs(state, mode=0o700, exist_ok=True)
    file = started.enter_context(open(os.path.join(state, "lock"), "w"))
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        fail(f"another quickstart uses {state}; stop it, or use another directory with --state")


def configure(state, arguments):
    """Create cinder.conf if it is missing, apply the command line to it, and return its options."""
    path = os.path.join(state, "cinder.conf")
    if not os.path.exists(path):
        reason = None if arguments.target else tgt_reason()
        helper = arguments.target or ("nbd" if reason else "tgt")
        driver = arguments.driver or ("file" if loop_group.reason() else "lvm")
        place = (f"file_volume_dir = {state}/volumes" if driver == "file" else
                 f"volume_group = {loop_group.name(os.path.join(state, GROUP_FILE))}")
        if reason:
            say(f"iSCSI with tgt is not available ({reason}); volumes are exported over NBD (qemu-nbd).")
        text = CONFIGURATION.format(state=state, port=arguments.port or 8776, driver=driver, place=place, helper=helper,
                                    target_port=free_port())
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(text)
    rewrite(path, {"osapi_volume_listen_port": arguments.port, "target_helper": arguments.target})
    options = configparser.ConfigParser(interpolation=None)
    options.read(path)
    if arguments.driver not in (None, kept := backend_of(options)["volume_driver"]):
        fail(f"the volumes in {state} belong to the driver {kept}; use another directory with --state")
    return options


def backend_of(config):
    """Return the section of the first backend."""
    return config[config["DEFAULT"]["enabled_backends"].partition(",")[0].strip()]


def rewrite(path, changes):
    """Change the options that have a value in the configuration file; all other lines stay unchanged."""
    with open(path) as file:
        before = lines = file.read().splitlines()
    for name, value in changes.items():
        if value is not None:
            lines = [f"{name} = {value}" if line.partition("=")[0].strip() == name else line for line in lines]
    if lines != before:
        with open(path, "w") as file:
            file.write("\n".join(lines) + "\n")


def tgt_reason():
    """Return the reason why iSCSI is not available, or None."""
    if not shutil.which("tgtd") or not shutil.which("tgtadm"):
        return "the package tgt is not installed"
    formats = subprocess.run(["qemu-img", "--help"], capture_output=True, text=True).stdout
    modules = [os.path.join(root, "block-iscsi.so") for root, _, names in os.walk("/usr/lib")
               if os.path.basename(root) == "qemu" and "block-iscsi.so" in names]
    if not modules and " iscsi" not in formats:
        return "qemu-img does not support iSCSI (package qemu-block-extra)"
    port = free_port()
    daemon = tgtd.TgtDaemon(targets.portal("127.0.0.1", port), port)
    try:
        daemon.start()
    except targets.TargetError as error:
        return str(error)
    daemon.stop()
    return None


def free_port():
    """Return a free port for iSCSI and for the control port of tgtd, which must be at most 32767."""
    for port in ISCSI_PORTS:
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            return port
    return fail(f"no port of 127.0.0.1 from {ISCSI_PORTS[0]} to {ISCSI_PORTS[-1]} is free")


def start(state, config, started):
    """Start the target daemon and the service; the exit stack `started` stops them. Returns the URL."""
    port = config.getint("DEFAULT", "osapi_volume_listen_port")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            fail(f"port {port} is not available: {error.strerror}; choose another port with --port NUMBER")
    backend = backend_of(config)
    if backend["volume_driver"] == "lvm":
        connect_group(os.path.join(state, GROUP_FILE), started)
    if backend["target_helper"] == "tgt":
        start_tgtd(backend, state, started)
    else:
        started.callback(end_nbd, backend, state)
    began = time.monotonic()
    service = launch(state)
    started.callback(end, service)
    started.service = service
    wait(service, f"http://127.0.0.1:{port}", state)
    say("Start cinder-lite-all (api, scheduler, volume, backup)", time.monotonic() - began)
    texts = login.noauth(f"http://127.0.0.1:{port}/v3", PROJECT, os.path.join(state, "clouds.yaml"), "admin")
    for name, text in zip(("endpoint", "admin.rc", "clouds.yaml"), (f"http://127.0.0.1:{port}/v3\n", *texts),
                          strict=True):
        with open(os.path.join(state, name), "w") as file:
            file.write(text)
        started.callback(os.unlink, os.path.join(state, name))
    return f"http://127.0.0.1:{port}"


def connect_group(path, started):
    began, why = time.monotonic(), loop_group.reason()
    if why:
        fail(f"the volumes are logical volumes, and LVM is not available: {why}")
    try:
        loop_group.connect(path)
    except subprocess.CalledProcessError as error:
        fail(f"the volume group in {path} cannot be used: {error.stderr.strip()}")
    started.callback(loop_group.disconnect, path)
    say(f"Connect volume group {loop_group.name(path)}", time.monotonic() - began)


def start_tgtd(backend, state, started):
    port = backend.getint("target_port")
    daemon = tgtd.TgtDaemon(targets.portal("127.0.0.1", port), backend.getint("tgt_control_port"),
                            os.path.join(state, "tgtd.log"))
    began = time.monotonic()
    try:
        daemon.start()
    except targets.TargetError as error:
        fail(f"{error}; set other ports with target_port and tgt_control_port in {state}/cinder.conf")
    started.callback(daemon.stop)
    say(f"Start a separate tgtd on 127.0.0.1:{port}", time.monotonic() - began)


class Options:
    """The options that the NBD target needs to stop its exports."""

    def __init__(self, backend):
        self.target_ip_address, self.nbd_transport = backend["target_ip_address"], "tcp"


def end_nbd(backend, state):
    target = nbd.NbdTarget(Options(backend), os.path.join(state, "targets", backend.name))
    for name in target.exported():
        target.remove(name)


def launch(state):
    pr_set_pdeathsig = 1
    command = os.path.join(os.path.dirname(sys.executable), "cinder-lite-all")
    with open(os.path.join(state, "output.log"), "a") as log:
        # A separate session, so that Ctrl-C reaches only this process. The service ends with this process, even if it
        # is killed.
        return subprocess.Popen(
            [command, "--config-file", os.path.join(state, "cinder.conf")], env=ENVIRONMENT, stdin=subprocess.DEVNULL,
            stdout=log, stderr=log, start_new_session=True,
            preexec_fn=lambda: ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGTERM))


def wait(service, url, state):
    """Wait until the API answers and all services and the backend are up."""
    began = time.monotonic()
    api = Service(url)
    while time.monotonic() - began < START:
        if service.poll() is not None:
            died(service, state)
        with contextlib.suppress(OSError, Failed):
            urllib.request.urlopen(f"{url}/healthcheck", timeout=5).close()
            rows = api("GET", "/os-services")["services"]
            up = {row["binary"] for row in rows if row["state"] == "up"}
            pools = api("GET", "/scheduler-stats/get_pools")["pools"]
            if {"cinder-scheduler", "cinder-volume", "cinder-backup"} <= up and pools:
                return
        time.sleep(0.05)
    fail(f"the service does not answer at {url} within {START} s; see {state}/cinder-lite.log")


def died(service, state):
    for name in ("output.log", "cinder-lite.log"):
        with contextlib.suppress(FileNotFoundError), open(os.path.join(state, name)) as file:
            sys.stderr.write("".join(file.readlines()[-8:]))
    fail(f"the service ended with status {service.returncode}; its log is {state}/cinder-lite.log")


def demonstrate(url, state):
    """Run the demonstration. Returns whether every step succeeded and every comparison held."""
    demonstration = Demonstration(Service(url), os.path.join(state, "demonstration"), say)
    began = time.monotonic()
    try:
        demonstration.run()
    except Failed as error:
        say(f"\nFAILED: {error}\nThe log is {state}/cinder-lite.log")
        return False
    for text in demonstration.broken:
        say(f"\nFAILED: {text}")
    if demonstration.broken:
        return False
    say(f"All {demonstration.held} comparisons held", time.monotonic() - began)
    return True


def usage(url, state, config):
    """Print how to use the running service."""
    venv = os.path.dirname(sys.executable)
    backend = backend_of(config)
    export = f"iSCSI, 127.0.0.1:{backend['target_port']}" if backend["target_helper"] == "tgt" else "NBD"
    say(f"""
The service listens on {url}/v3 (this machine only; every local user has administrator rights).
Volumes are exported over {export}. Settings: {state}/cinder.conf, log: {state}/cinder-lite.log

In another terminal, for all clients (also `openstack` and openstacksdk, which are not installed):
    . {state}/admin.rc
    {venv}/cinder list

The cinder-lite client waits for completion and explains results:
    {venv}/cinder-lite create 1 --name first --wait
    {venv}/cinder-lite explain first
    {venv}/cinder-lite jobs

Press Ctrl-C to stop. The next run uses the existing data; `rm -r {state}` removes it.""")


def serve(service):
    """Wait until the user stops the service. The end of the service itself is an error."""
    status = service.wait()
    fail(f"the service ended unexpectedly with status {status}; it is not restarted")


def end(service):
    """Stop the service; SIGTERM lets it finish running jobs."""
    if service.poll() is None:
        service.terminate()
        try:
            service.wait(90)
        except subprocess.TimeoutExpired:
            service.kill()
            service.wait()


if __name__ == "__main__":
    sys.exit(main())
