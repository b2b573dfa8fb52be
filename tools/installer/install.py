"""tools/install: the steps of an installation, an upgrade and a removal."""

import contextlib
import dataclasses
import grp
import os
import pathlib
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import servers  # noqa: E402
import settings  # noqa: E402

TOP = pathlib.Path(__file__).resolve().parents[2]
#: A link to the environment of the running release, whose name has a number appended.
VENV = pathlib.Path("/opt/cinder-lite")
UNITS = pathlib.Path("/usr/local/lib/systemd/system")
#: Destinations of the files in etc/, except the units.
PLACES = {"modules-load.d/cinder-lite.conf": "/usr/local/lib/modules-load.d",
          "sysusers.d/cinder-lite.conf": "/usr/local/lib/sysusers.d",
          "tmpfiles.d/cinder-lite.conf": "/usr/local/lib/tmpfiles.d",
          "logrotate.d/cinder-lite": "/etc/logrotate.d"}
COMMANDS, LINKS = ("cinder-lite", "cinder-lite-manage"), pathlib.Path("/usr/local/bin")
#: The Debian packages of each choice.
PACKAGES = {"always": ("python3-venv", "qemu-utils", "logrotate"), "tgt": ("tgt",), "services": ("rabbitmq-server",),
            "mariadb": ("mariadb-server",), "postgresql": ("postgresql",), "lvm": ("lvm2", "thin-provisioning-tools"),
            "mysqlclient": ("libmariadb3",),
            "to build mysqlclient": ("libmariadb-dev", "gcc", "libc6-dev", "pkg-config", "python3-dev"),
            "rbd": ("ceph-common", "python3-rbd", "python3-rados", "qemu-block-extra"), "file": ()}
#: Seconds within which all units must start.
PATIENCE = 600
#: The exit status of 'cinder-lite-manage status upgrade-check' if a step is required first.
UPGRADE_REFUSED = 2


class Failed(Exception):
    """The installation cannot continue; the text has the reason and the remedy."""


@dataclasses.dataclass(frozen=True)
class Step:
    """One step: its description and its function. `needed` is False if the step has nothing to do."""

    text: str
    do: object
    needed: bool = True


def run(command, text="", **options):
    """Run a command with `text` as its input. Returns its output, which is shown only if the command fails."""
    return subprocess.run(command, input=text, check=True, text=True, capture_output=True, **options).stdout


def packages(choices, wheels):
    """Return the missing Debian packages."""
    wanted = [*PACKAGES["always"], *PACKAGES[choices.backend], *(PACKAGES["tgt"] if choices.exports else ())]
    if choices.services and not choices.cluster:
        wanted += [*PACKAGES["services"], *PACKAGES[choices.database]]
    if settings.wants_mysqlclient(choices):
        # No index has wheels of it.
        is_there = wheels and any(pathlib.Path(wheels).glob("mysqlclient-*.whl"))
        wanted += PACKAGES["mysqlclient" if is_there else "to build mysqlclient"]
    return [name for name in wanted if not is_installed(name)]


def is_installed(package):
    try:
        return subprocess.run(["dpkg-query", "-Wf", "${Status}", package], capture_output=True,
                              text=True).stdout == "install ok installed"
    except FileNotFoundError:  # not Debian
        return False


def install_packages(missing):
    # install_packages keeps services from starting before they are configured.
    script = f". {TOP}/tools/packages.sh; install_packages {' '.join(missing)}"
    run(["bash", "-c", script])
    if "tgt" in missing:
        # The service uses its own unit, cinder-lite-tgt.
        run(["systemctl", "disable", "tgt.service"])


def environments():
    """Return all installed environments, including those without the link."""
    return sorted(VENV.parent.glob(f"{VENV.name}-[0-9]*"))


def make_environment(choices, wheels):
    """Create an environment beside the running one, run its upgrade check, and then switch the link to it."""
    made = next_environment()
    try:
        run(["/usr/bin/python3", "-m", "venv", made])
        install_python_package(made, wheels, f"{TOP}{settings.extras()}")
        if settings.wants_mysqlclient(choices):
            try:
                install_python_package(made, wheels, "mysqlclient")
            except subprocess.CalledProcessError as error:
                print(f"mysqlclient cannot be built, PyMySQL is used, which is slower:\n{error.stderr[-2000:]}",
                      flush=True)
        run(["chmod", "-R", "go=u-w", made])
        if VENV.exists():
            expect_upgrade(made)
    except BaseException:
        shutil.rmtree(made, ignore_errors=True)
        raise
    turn_to(made)


def install_python_package(made, wheels, package):
    """Install a package, or a checkout with its extras, in an environment. Raises CalledProcessError."""
    source = ["--no-index", "--find-links", wheels] if wheels else []
    # Copied, because the cache of uv may be readable only by root. Compiled, because the service cannot write there.
    run([made / "bin/python", TOP / "tools/pip_install.py", "-q", "--compile", *source, "-c", TOP / "constraints.txt",
         package], env={**os.environ, "UV_LINK_MODE": "copy"})


def next_environment():
    numbers = [int(path.name.rpartition("-")[2]) for path in environments()]
    return VENV.with_name(f"{VENV.name}-{max(numbers, default=0) + 1}")


def turn_to(made):
    if VENV.is_dir() and not VENV.is_symlink():  # as in earlier releases
        VENV.rename(VENV.with_name(f"{VENV.name}-0"))
    new = VENV.with_name(f"{VENV.name}.new")
    new.unlink(missing_ok=True)
    new.symlink_to(made.name)
    new.rename(VENV)


def expect_upgrade(made):
    done = subprocess.run([made / "bin/cinder-lite-manage", "status", "upgrade-check"], capture_output=True, text=True)
    if done.returncode == UPGRADE_REFUSED:
        raise Failed(f"this release cannot replace the running one, which continues:\n{done.stdout}{done.stderr}")


def remove_former_environments():
    for path in environments():
        if path != VENV.resolve():
            shutil.rmtree(path)


def copy_files(choices):
    shutil.copytree(TOP / "etc/systemd", UNITS, dirs_exist_ok=True)
    for name, place in PLACES.items():
        if choices.backend == "lvm" or not name.startswith("modules-load.d/"):
            os.makedirs(place, exist_ok=True)
            shutil.copy(TOP / "etc" / name, place)
    run(["systemd-sysusers"])
    run(["systemd-tmpfiles", "--create", "cinder-lite.conf"])
    for name in COMMANDS:
        if not os.path.lexists(LINKS / name):
            os.symlink(VENV / "bin" / name, LINKS / name)
    run(["systemctl", "daemon-reload"])
    if choices.backend == "lvm":
        run(["systemctl", "restart", "systemd-modules-load"])


def write_settings(choices):
    for path, text in settings.files(choices).items():
        if settings.is_to_be_written(path):
            write(path, text)


def write(path, text):
    """Create a file that the service can read; only root can read the credentials of the administrator."""
    with open(os.open(f"{path}.new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
    if path not in (settings.LOGIN, settings.CLOUDS):
        os.chown(f"{path}.new", 0, grp.getgrnam("cinder").gr_gid)
        os.chmod(f"{path}.new", 0o640)
    os.rename(f"{path}.new", path)


def write_password():
    """Write the hash of the administrator's password, computed by the bcrypt of the environment."""
    script = "import bcrypt, sys; print(bcrypt.hashpw(sys.stdin.read().encode(), bcrypt.gensalt()).decode())"
    hashed = run([VENV / "bin/python", "-c", script], text=settings.login_password())
    write(settings.HTPASSWD, f"admin:{hashed}")


def set_up_servers(choices):
    for_database, for_broker = settings.passwords()
    if for_database:
        servers.DATABASES[choices.database](run, for_database)
    if for_broker:
        servers.rabbitmq(run, for_broker)


def sync_database():
    run(["runuser", "-u", "cinder", "--", VENV / "bin/cinder-lite-manage", "db", "sync"], cwd="/")


def units(choices):
    names = [f"cinder-lite-{name}.service" for name in choices.processes]
    if choices.exports:
        names.append("cinder-lite-tgt.service")
    return ["cinder-lite.target", "cinder-lite-privsep.socket", *names]


def start(choices):
    run(["systemctl", "enable", *units(choices)])
    # A running tgtd is not restarted: it serves volumes in use. The target is active when all of its units have
    # started.
    with contextlib.suppress(subprocess.TimeoutExpired):
        run(["systemctl", "restart", "cinder-lite.target"], timeout=PATIENCE)
    waiting = [name for name in units(choices) if state(name) != "active"]
    if waiting:
        raise Failed(f"{' '.join(waiting)} did not become active:\n" + subprocess.run(
            ["systemctl", "status", "--no-pager", "--lines=15", *waiting], capture_output=True, text=True).stdout)


def state(unit):
    return subprocess.run(["systemctl", "is-active", unit], capture_output=True, text=True).stdout.strip()


def installing(choices, wheels):
    missing = packages(choices, wheels)
    new = [path for path in settings.files(choices) if settings.is_to_be_written(path)]
    again = " again" if VENV.exists() else ""
    return [
        Step(f"install the Debian packages {' '.join(missing)}", lambda: install_packages(missing), bool(missing)),
        Step(f"install the units, the logrotate file, the user cinder and its directories{again}",
             lambda: copy_files(choices)),
        Step(f"write {' '.join(new)}", lambda: write_settings(choices), bool(new)),
        Step(f"install this checkout{again} in {VENV}{', beside the running release' if again else ''}",
             lambda: make_environment(choices, wheels)),
        Step(f"write {settings.HTPASSWD}", write_password,
             choices.auth == "http_basic" and not os.path.exists(settings.HTPASSWD)),
        Step(f"configure {choices.database} and RabbitMQ: a user cinder with a password, a database, a virtual host",
             lambda: set_up_servers(choices), choices.services and not choices.cluster),
        Step("upgrade the database schema to this release (cinder-lite-manage db sync)", sync_database),
        Step(f"enable and start {' '.join(units(choices))}", lambda: start(choices)),
        Step("remove the environment of the former release", remove_former_environments, VENV.exists()),
    ]


def removing():
    names = [path.name for path in (TOP / "etc/systemd").iterdir() if path.is_file() and "@" not in path.name]
    files = [*(UNITS / path.name for path in (TOP / "etc/systemd").iterdir()),
             *(pathlib.Path(place, name.partition("/")[2]) for name, place in PLACES.items()),
             *(LINKS / name for name in COMMANDS if os.path.islink(LINKS / name)
               and os.readlink(LINKS / name).startswith(f"{VENV}/"))]
    there = [path for path in files if os.path.lexists(path)]

    def remove_environments():
        for path in (VENV, *environments()):
            if path.is_symlink():
                path.unlink()
            elif path.exists():
                shutil.rmtree(path)

    def remove_files():
        for path in there:
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
        run(["systemctl", "daemon-reload"])

    return [
        Step("stop and disable all cinder-lite units", lambda: run(["systemctl", "disable", "--now", *names]),
             (UNITS / "cinder-lite.target").exists()),
        Step(f"remove {' '.join(map(str, there))}", remove_files, bool(there)),
        Step(f"remove {VENV}", remove_environments, os.path.lexists(VENV) or bool(environments())),
    ]


def check(choices):
    """Raise Failed if the installation cannot succeed."""
    if os.geteuid() != 0:
        raise Failed("needs root")
    if not os.path.isdir("/run/systemd/system"):
        raise Failed("systemd is not running")
    if choices.backend == "lvm" and not settings.remembered():
        found = shutil.which("vgs", path="/usr/sbin:/sbin") and subprocess.run(
            ["vgs", "--noheadings", "-o", "vg_name"], capture_output=True, text=True).stdout.split()
        if choices.volume_group not in (found or ()):
            raise Failed(f"there is no volume group {choices.volume_group}: create it on an empty disk with "
                         f"'apt-get install lvm2' and 'vgcreate {choices.volume_group} /dev/DISK', or choose another "
                         "with --volume-group")


def main():
    choices, other = settings.parse(sys.argv[1:])
    refused = None
    if not other.remove:
        try:
            check(choices)
        except Failed as error:
            if not other.dry_run:
                raise
            refused = error
    # The service must be able to read the installed files, whatever the umask of root is.
    os.umask(0o022)
    steps = [step for step in (removing() if other.remove else installing(choices, other.wheels)) if step.needed]
    for number, step in enumerate(steps, 1):
        print(f"{number}/{len(steps)}  {'would ' if other.dry_run else ''}{step.text}", flush=True)
        if not other.dry_run:
            step.do()
    if other.dry_run:
        if refused:
            print(f"On this machine the installation would be refused: {refused}")
        return
    if other.remove:
        print(f"Removed. Not removed: {settings.DIRECTORY}, /var/lib/cinder, /var/log/cinder, the user cinder, "
              "volumes, databases and Debian packages.")
    else:
        print("Installed. See 'systemctl status \"cinder-lite*\"'. " + (
            f"The credentials of the administrator are in {settings.LOGIN}." if choices.auth == "http_basic" else
            f"Keystone needs a user 'cinder' with the role 'service' and the password in {settings.CONF}."))


if __name__ == "__main__":
    try:
        main()
    except Failed as error:
        sys.exit(f"install: {error}")
    except subprocess.CalledProcessError as error:
        said = f"{error.stdout or ''}{error.stderr or ''}".strip()
        sys.exit(f"install: '{' '.join(map(str, error.cmd[:4]))} ...' ended with status {error.returncode}:\n{said}")
