"""Unmodified command line clients, run as a user of Keystone."""

import json
import os
import subprocess

from tests.acceptance.identity import REGION
from tests.acceptance.judge import PROGRAM
from tests.services.processes import until

BIN = PROGRAM.parent
#: Seconds after which what a command shows will not come about any more.
LIMIT = 600


def environment(keystone, user="admin"):
    """What cinder and openstack read of the environment."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OS_", "CINDER"))}
    return {**kept, "PYTHONPATH": "", "OS_CINDERCLIENT_EXEC_DIR": str(BIN), "OS_AUTH_URL": keystone.url,
            "OS_USERNAME": user, "OS_PASSWORD": keystone.password, "OS_PROJECT_NAME": keystone.home(user),
            "OS_USER_DOMAIN_ID": "default", "OS_PROJECT_DOMAIN_ID": "default", "OS_REGION_NAME": REGION,
            "OS_IDENTITY_API_VERSION": "3", "OS_VOLUME_API_VERSION": "3.71"}


def run(words, env, limit=600):
    """(exit status, output, error stream) of a program of the judges' environment."""
    ended = subprocess.run([str(BIN / words[0]), *words[1:]], env=env, capture_output=True, text=True, timeout=limit)
    return ended.returncode, ended.stdout, ended.stderr


class Shell:
    """A client that runs its commands one by one: `shell("show", id)` is what it printed.

    `commands` are the names of those that it has, `used` the ones that have been run with a look at what they said.
    """

    def __init__(self, program, env):
        argv = [str(BIN / "python"), os.path.join(os.path.dirname(__file__), "shell_runner.py"), program]
        self._process = subprocess.Popen(argv, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.commands, self.used = set(self.run("commands")["out"]), set()

    def run(self, *words):
        """{status, out, err} of a command."""
        self._process.stdin.write(json.dumps(words) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def note(self, words):
        """These words have run a command: the one with the longest name that they begin with."""
        names = (" ".join(words[:length]) for length in range(len(words), 0, -1))
        self.used.add(next((name for name in names if name in self.commands), words[0]))

    def __call__(self, *words):
        self.note(words)
        answer = self.run(*words)
        assert answer["status"] == 0, f"{' '.join(words)}: {answer['out']}{answer['err']}"
        assert "ERROR" not in answer["err"], f"{' '.join(words)}: {answer['err']}"
        return answer["out"]

    def refused(self, *words):
        """What a command said that failed, as it has to."""
        self.note(words)
        answer = self.run(*words)
        said = answer["out"] + answer["err"]
        assert answer["status"] != 0, f"{' '.join(words)}: {said}"
        return said

    def rows(self, *words):
        """The table that a command printed, as dictionaries."""
        lines = [[cell.strip() for cell in line.split("|")[1:-1]]
                 for line in self(*words).splitlines() if line.startswith("|")]
        return [dict(zip(lines[0], line, strict=True)) for line in lines[1:]] if lines else []

    def facts(self, *words):
        """A table of two columns, as a dictionary."""
        return {first: second for first, second, *_ in (row.values() for row in self.rows(*words))}

    def column(self, name, *words):
        return [row[name] for row in self.rows(*words)]

    def settled(self, *words, status="available"):
        """The facts of a command once they say that status."""
        def look():
            found = self.facts(*words)
            assert not found["status"].startswith("error"), found
            return found if found["status"] == status else None

        return until(look, LIMIT, f"{' '.join(words)} saying {status}", 0.1)

    def gone(self, *words):
        """Wait until the command fails, because what it shows is gone."""
        until(lambda: self.run(*words)["status"] != 0, LIMIT, f"{' '.join(words)} failing", 0.1)

    def close(self):
        self._process.stdin.close()
        self._process.wait(30)


class OpenStack(Shell):
    """The `openstack` command, whose tables are JSON."""

    def __init__(self, env):
        super().__init__("openstack", env)

    def rows(self, *words):
        return json.loads(self(*words, "-f", "json"))

    def facts(self, *words):
        return {name.lower(): value for name, value in self.rows(*words).items()}
