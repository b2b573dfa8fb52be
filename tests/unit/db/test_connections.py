"""A database that cannot be reached is told by one class of error, whichever it is."""

import socket
import types

import pytest

from cinder_lite import db


@pytest.mark.parametrize("driver", ["mysql+pymysql", "postgresql+psycopg"])
@pytest.mark.parametrize("use", ["read", "write"])
def test_refused_connection_is_unreachable(driver, use):
    with socket.socket() as unheard:
        unheard.bind(("127.0.0.1", 0))
        database = db.Database(types.SimpleNamespace(
            connection=f"{driver}://u:p@127.0.0.1:{unheard.getsockname()[1]}/x", max_pool_size=1, max_overflow=0,
            pool_timeout=5, connection_recycle_time=3600))
        with pytest.raises(db.Unreachable), getattr(database, use)() as tx:
            tx.exec_driver_sql("SELECT 1")
