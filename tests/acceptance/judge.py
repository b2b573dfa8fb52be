"""Runs the volume tests of Tempest: workspace, configuration, results."""

import dataclasses
import os
import re
import subprocess

from tests.acceptance.identity import REGION
from tests.acceptance.installation import BACKENDS
from tests.meta.source import TOP
from tests.services.daemons import as_text
from tests.services.processes import Directory

#: Made by tox from judges-requirements.txt.
PROGRAM = TOP / ".tox" / "judges" / "bin" / "tempest"
#: Tests that need a service which is not here, a pattern each with the reason behind it.
EXCLUDED = os.path.join(os.path.dirname(__file__), "tempest-excluded.txt")
#: `{worker} name [seconds] ... verdict: reason`
VERDICT = re.compile(r"^\{\d+\} (?P<name>.*?) (?:\[[\d.]+s\] )?\.\.\. (?P<verdict>ok|FAILED|SKIPPED)(?:: "
                     r"(?P<reason>.*))?$", re.M)


@dataclasses.dataclass(frozen=True)
class Verdicts:
    """What Tempest said: names of tests that passed and failed, (name, reason) of those that it skipped."""

    passed: tuple
    failed: tuple
    skipped: tuple
    output: str


class Tempest:
    """Runs against a Keystone and what stands in its catalogue; `image` is the id of an image of Glance."""

    def __init__(self, keystone, image=None, protocol="iSCSI"):
        self.directory = Directory("tempest")
        path = self.directory.path
        self.workspace = os.path.join(path, "workspace")
        subprocess.run([PROGRAM, "init", self.workspace], check=True, capture_output=True, timeout=120,
                       env=self._env())
        with open(os.path.join(self.workspace, "etc", "tempest.conf"), "w") as file:
            file.write(as_text(self._options(keystone, image, protocol)))

    def _env(self):
        return {**os.environ, "HOME": self.directory.path, "PYTHONPATH": ""}

    def _options(self, keystone, image, protocol):
        return {
            "DEFAULT": {"debug": "true", "log_file": f"{self.directory.path}/tempest.log"},
            "oslo_concurrency": {"lock_path": f"{self.directory.path}/locks"},
            "auth": {"use_dynamic_credentials": "true", "create_isolated_networks": "false", "tempest_roles": "member",
                     "admin_username": "admin", "admin_password": keystone.password, "admin_project_name": "admin",
                     "admin_domain_name": "Default"},
            "identity": {"uri_v3": keystone.url, "auth_version": "v3", "region": REGION,
                         "default_domain_id": "default"},
            # Six classes skip themselves without a network service, though most of their tests use none.
            "service_available": {"cinder": "true", "nova": "false", "swift": "false", "neutron": "true",
                                  "glance": "true"},
            "compute": {"image_ref": image or "", "flavor_ref": "none"},
            "compute-feature-enabled": {"volume_multiattach": "true"},
            "enforce_scope": {"cinder": "true"},
            "volume": {"catalog_type": "volumev3", "min_microversion": "3.0", "max_microversion": "latest",
                       "backend_names": ",".join(BACKENDS), "storage_protocol": protocol, "vendor_name": "Open Source",
                       "manage_volume_ref": "source-name,volume-%s", "manage_snapshot_ref": "source-name,snapshot-%s",
                       "build_timeout": 300},
            "volume-feature-enabled": dict.fromkeys((
                "multi_backend", "manage_volume", "manage_snapshot", "snapshot", "backup", "clone", "volume_revert",
                "consistency_group", "extend_attached_volume"), "true"),
        }

    def run(self, pattern=r"^tempest\.api\.volume", concurrency=2, excluded=EXCLUDED):
        """Run the tests whose names match."""
        words = [PROGRAM, "run", "--regex", pattern, "--concurrency", str(concurrency)]
        if excluded:
            words += ["--exclude-list", excluded]
        ended = subprocess.run(words, cwd=self.workspace, env=self._env(), capture_output=True, text=True)
        found = {"ok": [], "FAILED": [], "SKIPPED": []}
        for match in VERDICT.finditer(ended.stdout):
            name = match["name"]
            found[match["verdict"]].append((name, match["reason"]) if match["verdict"] == "SKIPPED" else name)
        return Verdicts(*(tuple(found[verdict]) for verdict in ("ok", "FAILED", "SKIPPED")),
                        output=ended.stdout + ended.stderr)
