"""A MariaDB that requires TLS: URLs with and without its CA."""

import os
import shutil
import subprocess
import types

import pytest

from cinder_lite import db
from tests.services import servers


class Strict(servers.MariaDB):
    """Signs for itself: `authority` is the file of its certificate."""

    def _process(self):
        found = super()._process()
        self.authority, key = (os.path.join(self.directory.path, name) for name in ("authority.pem", "key.pem"))
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj",
                        "/CN=127.0.0.1",
                        "-addext", "subjectAltName=IP:127.0.0.1", "-out", self.authority, "-keyout", key],
                       check=True, capture_output=True)
        for path in (self.authority, key):
            if os.getuid() == 0:
                shutil.chown(path, "mysql")
        found.argv += [f"--ssl-cert={self.authority}", f"--ssl-key={key}", "--require-secure-transport=ON"]
        return found


@pytest.fixture(scope="module")
def strict():
    with Strict() as server:
        yield server.start()


def cipher(url):
    """Return the cipher of a connection of a service to the URL."""
    database = db.Database(types.SimpleNamespace(connection=url, max_pool_size=1, max_overflow=0, pool_timeout=5,
                                                 connection_recycle_time=3600))
    try:
        with database.read() as tx:
            return tx.exec_driver_sql("SHOW STATUS LIKE 'Ssl_cipher'").one()[1]
    finally:
        database.dispose()


def test_the_authority_in_the_url_is_enough(strict):
    assert cipher(f"{strict.url}?ssl_ca={strict.authority}").startswith("TLS_")


@pytest.mark.parametrize("more", ["", "?ssl_verify_cert=true"], ids=["plain", "with authorities of the system"])
def test_others_are_refused(strict, more):
    with pytest.raises(db.Unreachable):
        cipher(strict.url + more)
