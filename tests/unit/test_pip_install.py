"""tools/pip_install.py: translation of pip settings for uv, and the fallback to pip."""

import os
import pathlib
import shutil
import subprocess
import sys
import zipfile

import pytest

TOOLS = pathlib.Path(__file__).parents[2] / "tools"
sys.path.insert(0, str(TOOLS))

import pip_install  # noqa: E402

FAILING = "#!/bin/sh\necho the index wants what uv has not >&2\nexit 2\n"


@pytest.mark.parametrize("settings, arguments, variables", [
    ({}, [], {}),
    ({"index-url": "https://a/simple", "extra-index-url": "https://b/simple\nhttps://c/simple"},
     ["--index-url", "https://a/simple", "--extra-index-url", "https://b/simple", "--extra-index-url",
      "https://c/simple"], {}),
    ({"find-links": "/wheels", "no-index": "true"}, ["--find-links", "/wheels", "--no-index"], {}),
    ({"no-index": "false"}, [], {}),
    ({"cert": "/ca.pem", "trusted-host": "a b", "timeout": "60"},
     ["--allow-insecure-host", "a", "--allow-insecure-host", "b"],
     {"SSL_CERT_FILE": "/ca.pem", "UV_HTTP_TIMEOUT": "60"}),
    ({"proxy": "http://p:1"}, [], dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"), "http://p:1")),
])
def test_settings_of_pip_are_translated_for_uv(settings, arguments, variables):
    assert pip_install.translated(settings) == (arguments, variables)


@pytest.fixture
def tree(tmp_path):
    """A checkout's tools without a uv, an environment, and a package in a directory."""
    (tmp_path / "tools").mkdir()
    shutil.copy(TOOLS / "pip_install.py", tmp_path / "tools")
    (tmp_path / "constraints.txt").touch()
    (tmp_path / "wheels").mkdir()
    with zipfile.ZipFile(tmp_path / "wheels/tiny-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("tiny.py", "")
        wheel.writestr("tiny-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n")
        wheel.writestr("tiny-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr("tiny-1.0.dist-info/RECORD", "tiny.py,,\n")
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "env"], check=True)
    return tmp_path


def install(tree, **environment):
    done = subprocess.run([tree / "env/bin/python", tree / "tools/pip_install.py", "--no-index", "--find-links",
                           tree / "wheels",
                           "tiny"], capture_output=True, text=True, env={
                               **{name: value for name, value in os.environ.items() if not name.startswith("PIP_")},
                               "PATH": "/usr/bin:/bin", "PIP_CONFIG_FILE": os.devnull, **environment})
    assert done.returncode == 0, done.stdout + done.stderr
    subprocess.run([tree / "env/bin/python", "-c", "import tiny"], check=True)
    return done.stdout + done.stderr


def test_pip_installs_if_uv_is_not_available(tree):
    assert "Successfully installed tiny" in install(tree)
    assert [path.name for path in (tree / ".tox").iterdir()] == []


def test_pip_installs_if_uv_fails(tree):
    (tree / "bin").mkdir()
    (tree / "bin/uv").write_text(FAILING)
    (tree / "bin/uv").chmod(0o755)
    said = install(tree, PATH=f"{tree}/bin:/usr/bin:/bin")
    assert "uv cannot install the packages; using pip." in said and "Successfully installed tiny" in said
