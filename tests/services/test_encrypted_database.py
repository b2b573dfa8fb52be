"""A MariaDB that requires TLS: URLs with and without its CA, by each driver."""

import os
import shutil
import subprocess
import types

import pytest

from cinder_lite import concurrency, db
from cinder_lite.db import drivers
from tests.services import servers


class Strict(servers.MariaDB):
    """Signs for itself: `authority` is the file of its certificate."""

    @staticmethod
    def certificate(directory):
        """Make a certificate for 127.0.0.1 in the directory; returns the paths of it and of its key."""
        paths = [os.path.join(directory, name) for name in ("authority.pem", "key.pem")]
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj",
                        "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-out", paths[0], "-keyout",
                        paths[1]], check=True, capture_output=True)
        return paths

    def _process(self):
        found = super()._process()
        self.authority, key = self.certificate(self.directory.path)
        for path in (self.authority, key):
            if os.getuid() == 0:
                shutil.chown(path, "mysql")
        found.argv += [f"--ssl-cert={self.authority}", f"--ssl-key={key}", "--require-secure-transport=ON",
                       "--bind-address=127.0.0.1,127.0.0.2"]
        return found


@pytest.fixture(scope="module")
def strict():
    with Strict() as server:
        yield server.start()


@pytest.fixture(params=["mysql+pymysql", *([] if concurrency.GREEN else ["mysql+mysqldb"])])
def url(strict, request):
    """The URL of the server with each driver."""
    found = strict.url.replace("mysql:", f"{request.param}:")
    assert drivers.url_of(found).drivername == request.param
    return found


def opened(url):
    return db.Database(types.SimpleNamespace(connection=url, max_pool_size=1, max_overflow=0, pool_timeout=5,
                                             connection_recycle_time=3600))


def cipher(url):
    """Return the cipher of a connection of a service to the URL."""
    database = opened(url)
    try:
        with database.read() as tx:
            return tx.exec_driver_sql("SHOW STATUS LIKE 'Ssl_cipher'").one()[1]
    finally:
        database.dispose()


def test_the_authority_in_the_url_is_enough(strict, url):
    assert cipher(f"{url}?ssl_ca={strict.authority}").startswith("TLS_")


def test_a_connection_without_tls_is_refused(url):
    with pytest.raises(db.Unreachable):
        cipher(url)


def test_a_server_of_another_authority_is_refused(strict, url, tmp_path):
    other = strict.certificate(tmp_path)[0]
    with pytest.raises(db.Unreachable, match="self-signed certificate"):
        cipher(f"{url}?ssl_ca={other}")


def test_a_certificate_for_another_name_is_refused(strict, url):
    with pytest.raises(db.Unreachable, match="certificate verify failed|Validation of SSL server certificate failed"):
        cipher(f"{url.replace('127.0.0.1', '127.0.0.2')}?ssl_ca={strict.authority}")


def test_a_server_without_tls_is_refused_if_an_authority_is_named(mariadb, strict, url):
    if not mariadb.process.running:
        mariadb.start()
    scheme = url.partition(":")[0]
    with pytest.raises(db.Unreachable, match="SSL is required"):
        cipher(f"{mariadb.url.replace('mysql:', f'{scheme}:')}?ssl_ca={strict.authority}")


def test_a_lost_connection_with_tls_is_unreachable(strict, url):
    database = opened(f"{url}?ssl_ca={strict.authority}")
    with pytest.raises(db.Unreachable), database.read() as tx:
        id = tx.exec_driver_sql("SELECT CONNECTION_ID()").scalar()
        with database.write() as other:
            other.exec_driver_sql(f"KILL {id}")
        tx.exec_driver_sql("SELECT 1")
    with pytest.raises(db.Unreachable), database.read() as tx:
        strict.kill()
        tx.exec_driver_sql("SELECT 1")
    strict.start()
    with database.read() as tx:
        assert tx.exec_driver_sql("SELECT 1").scalar() == 1
    database.dispose()


def test_the_authorities_of_the_system_are_for_pymysql(strict):
    url = f"{strict.url}?ssl_verify_cert=true"
    assert drivers.url_of(url).drivername == drivers.PYMYSQL
    with pytest.raises(db.Unreachable):
        cipher(url)
