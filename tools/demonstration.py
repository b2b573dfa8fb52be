"""The demonstration of tools/quickstart: the main operations on real data, with comparisons of the data."""

import contextlib
import hashlib
import json
import os
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request

#: GiB of the volumes, and MiB of random bytes in the file systems that are written to them.
SIZE, RANDOM = 1, 48
#: The name prefix of its volumes, snapshots and backups. It removes only these.
PREFIX = "demo-"
#: Seconds within which the request of one step must complete.
LIMIT = 300
PROJECT = "00000000000000000000000000000001"
INITIATOR = "iqn.1993-08.org.debian:01:cinder-lite-quickstart"


class Failed(Exception):
    """A step failed; the text has the reason."""


class Service:
    """A client of the REST API for the demonstration."""

    def __init__(self, url):
        self.url = url

    def __call__(self, method, path, body=None):
        """Return the parsed body of the response. Raises Failed with the message of the API."""
        request = urllib.request.Request(
            f"{self.url}/v3/{PROJECT}{path}", method=method, data=None if body is None else json.dumps(body).encode(),
            headers={"X-Auth-Token": f"admin:{PROJECT}", "Content-Type": "application/json",
                     "OpenStack-API-Version": "volume 3.71"})
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                text = answer.read()
        except urllib.error.HTTPError as error:
            raise Failed(f"{method} {path}: {error.code} {error.read().decode(errors='replace')}") from error
        except OSError as error:
            raise Failed(f"{method} {path}: {error}") from error
        return json.loads(text) if text else None

    def named(self, kind):
        """Return the resources of a kind (volumes, snapshots, backups) that the demonstration created."""
        found = self("GET", f"/{kind}/detail")[kind]
        return [one for one in found if (one["name"] or "").startswith(PREFIX)]

    def wait(self, kind, id, status="available"):
        """Wait until the resource has the status, or is deleted if status is None. Raises Failed if a job failed."""
        end = time.monotonic() + LIMIT
        while time.monotonic() < end:
            jobs = self("GET", f"/jobs?resource_id={id}")["jobs"]
            if jobs and jobs[0]["status"] == "failed":
                raise Failed(f"{jobs[0]['action']} of the {kind} failed: {jobs[0]['error']}")
            present = next((one for one in self("GET", f"/{kind}s/detail")[f"{kind}s"] if one["id"] == id), None)
            if (present and present["status"]) == status:
                return present
            time.sleep(0.02)
        raise Failed(f"{kind} {id} is not {status or 'gone'} after {LIMIT} s")

    def make(self, kind, **facts):
        """Create a resource and wait until it is available. Returns its id."""
        id = self("POST", f"/{kind}s", {kind: facts})[kind]["id"]
        self.wait(kind, id)
        return id

    def remove(self, kind, id, query=""):
        self("DELETE", f"/{kind}s/{id}{query}")
        self.wait(kind, id, None)


class Attached:
    """A context manager that attaches a volume through the attachments API; `url` is its address for qemu-img."""

    def __init__(self, service, volume_id):
        self.service, self.volume_id = service, volume_id
        self.id = self.url = self.data = None

    def __enter__(self):
        connector = {"host": socket.gethostname(), "ip": "127.0.0.1", "initiator": INITIATOR, "platform": "x86_64",
                     "os_type": "linux", "multipath": False}
        body = {"attachment": {"volume_uuid": self.volume_id, "connector": connector, "mode": "rw"}}
        made = self.service("POST", "/attachments", body)["attachment"]
        self.id, self.data = made["id"], made["connection_info"]
        self.url = url(self.data)
        self.service("POST", f"/attachments/{self.id}/action", {"os-complete": {}})
        self.service.wait("volume", self.volume_id, "in-use")
        return self

    def __exit__(self, *failure):
        self.service("DELETE", f"/attachments/{self.id}")
        if failure[0] is None:
            self.service.wait("volume", self.volume_id)


def url(data, secret=None):
    """Return connection information as a URL for qemu-img."""
    if data.get("driver_volume_type") == "nbd":
        return data["uri"]
    account = ""
    if data.get("auth_method"):
        account = f"{data['auth_username']}%{secret or data['auth_password']}@"
    return f"iscsi://{account}{data['target_portal']}/{data['target_iqn']}/{data['target_lun']}"


def qemu_img(*arguments):
    """Run qemu-img, the initiator. Raises Failed with its error output."""
    done = subprocess.run(["qemu-img", *arguments], capture_output=True, text=True)
    if done.returncode:
        # Lines with the URL contain the secret.
        said = [line for line in done.stderr.splitlines() if "%" not in line]
        raise Failed(f"qemu-img {arguments[0]}: {' '.join(said) or 'it failed'}")


def sha256(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class Demonstration:
    """The steps. `say(text, seconds, facts)` prints one; `held` counts equal comparisons, `broken` lists the others."""

    def __init__(self, service, directory, say):
        self.service, self.directory, self.say = service, directory, say
        self.held, self.broken = 0, []
        self._wanted = {}

    @contextlib.contextmanager
    def step(self, text):
        """Measure the block and print it with the facts that the block appends to the list."""
        facts, began = [], time.monotonic()
        yield facts
        self.say(text, time.monotonic() - began, "  ".join(facts))

    def run(self):
        """Run all steps. Raises Failed if a step cannot continue."""
        shutil.rmtree(self.directory, ignore_errors=True)
        os.makedirs(self.directory)
        self.clean_up()
        first, second = (self.file_system(name) for name in ("first", "second"))
        volume = self.write_first(first)
        snapshot = self.change(volume, second)
        copies = self.copy(volume, snapshot)
        self.read_back("the volume made from the snapshot", copies[0], first)
        self.read_back("the clone", copies[1], second)
        self.back_up(volume, snapshot, second)
        shutil.rmtree(self.directory)

    def clean_up(self):
        """Remove the resources of an earlier demonstration, and nothing else."""
        service = self.service
        volumes, backups = service.named("volumes"), service.named("backups")
        if not volumes and not backups:
            return
        with self.step("Remove the resources of the last demonstration") as facts:
            for backup in backups:
                service.remove("backup", backup["id"])
            for volume in volumes:
                for attachment in service("GET", f"/attachments?volume_id={volume['id']}")["attachments"]:
                    service("DELETE", f"/attachments/{attachment['id']}")
                service.remove("volume", volume["id"], "?cascade=true")
            facts.append(f"{len(volumes)} volumes, {len(backups)} backups")

    def file_system(self, name):
        """Create an ext4 image of the volume size with this directory and random bytes. Returns its path."""
        image, tree = os.path.join(self.directory, f"{name}.raw"), os.path.join(self.directory, name)
        with self.step(f"Make the {name} file system image (mkfs.ext4)") as facts:
            shutil.copytree(os.path.dirname(os.path.abspath(__file__)), os.path.join(tree, "tools"))
            with open(os.path.join(tree, "random"), "wb") as file:
                for _ in range(RANDOM):
                    file.write(os.urandom(2**20))
            argv = ["mkfs.ext4", "-q", "-F", "-d", tree, image, f"{SIZE}G"]
            done = subprocess.run(argv, capture_output=True, text=True)
            if done.returncode:
                raise Failed(f"mkfs.ext4: {done.stderr.strip()}")
            shutil.rmtree(tree)
            self._wanted[image] = sha256(image)
            facts.append(_short(self._wanted[image]))
        return image

    def write_first(self, image):
        with self.step(f"Create a volume of {SIZE} GiB"):
            volume = self.service.make("volume", size=SIZE, name=f"{PREFIX}original")
        attached = Attached(self.service, volume)
        with self.step("Attach it through the attachments API") as facts:
            attached.__enter__()
            facts.append(attached.url.rpartition("@")[2])
        try:
            self.refuse_strangers(attached.data)
            with self.step(f"Write the first image to it over {self.protocol(attached)}"):
                # A new volume reads as zeros: zeros need not be sent.
                qemu_img("convert", "-n", "--target-is-zero", "-f", "raw", "-O", "raw", image, attached.url)
        finally:
            with self.step("Detach it"):
                attached.__exit__(None)
        return volume

    def refuse_strangers(self, data):
        if not data.get("auth_method"):
            return
        with self.step("Try to read it with a wrong CHAP secret") as facts:
            try:
                qemu_img("info", url(data, "wrongwrongwrong1"))
            except Failed:
                self.held += 1
                facts.append("refused, as expected")
            else:
                self.broken.append("a wrong CHAP secret was accepted")
                facts.append("ACCEPTED")

    def change(self, volume, image):
        with self.step("Take a snapshot"):
            snapshot = self.service.make("snapshot", volume_id=volume, name=f"{PREFIX}snapshot")
        with self.step("Attach the volume, write the second image, detach"):
            with Attached(self.service, volume) as attached:
                qemu_img("convert", "-n", "-f", "raw", "-O", "raw", image, attached.url)
        return snapshot

    def copy(self, volume, snapshot):
        with self.step("Create a volume from the snapshot"):
            restored = self.service.make("volume", size=SIZE, snapshot_id=snapshot, name=f"{PREFIX}from-snapshot")
        with self.step("Clone the volume"):
            clone = self.service.make("volume", size=SIZE, source_volid=volume, name=f"{PREFIX}clone")
        return restored, clone

    def read_back(self, what, volume, image):
        """Read a whole volume over the network and compare it with the expected image."""
        copy = os.path.join(self.directory, "read.raw")
        with self.step(f"Read back {what}, all {SIZE} GiB") as facts:
            with Attached(self.service, volume) as attached:
                qemu_img("convert", "-f", "raw", "-O", "raw", attached.url, copy)
            wanted, found = self._wanted[image], sha256(copy)
            os.unlink(copy)
            facts.append(_short(found))
            if found == wanted:
                self.held += 1
                facts.append("equal")
            else:
                self.broken.append(f"{what} has SHA-256 {found}; written was {wanted}")
                facts.append("DIFFERS")

    def back_up(self, volume, snapshot, image):
        with self.step("Back the volume up") as facts:
            backup = self.service.make("backup", volume_id=volume, name=f"{PREFIX}backup")
            facts.append(f"{self.service('GET', f'/backups/{backup}')['backup']['object_count']} objects")
        with self.step("Delete the volume and its snapshot"):
            self.service.remove("snapshot", snapshot)
            self.service.remove("volume", volume)
        with self.step("Restore the backup to a new volume"):
            asked = {"restore": {"name": f"{PREFIX}restored"}}
            restored = self.service("POST", f"/backups/{backup}/restore", asked)["restore"]["volume_id"]
            self.service.wait("backup", backup)
            self.service.wait("volume", restored)
        self.read_back("the restored volume", restored, image)

    def protocol(self, attached):
        return "NBD" if attached.data.get("driver_volume_type") == "nbd" else "iSCSI with CHAP"


def _short(digest):
    return f"SHA-256 {digest[:12]}…"
