"""Finds what of a database's URL or state does not suit a cluster of databases."""

from collections.abc import Iterator

from cinder_lite import db

#: A server that accepts no changes answers with 1 or "on".
READ_ONLY = {"postgresql": "SHOW transaction_read_only"}
GALERA = ("SELECT variable_name, variable_value FROM information_schema.global_status "
          "WHERE variable_name = 'wsrep_cluster_size' UNION ALL "
          "SELECT variable_name, variable_value FROM information_schema.session_variables "
          "WHERE variable_name IN ('wsrep_node_address', 'wsrep_sync_wait')")


def problems(database: db.Database) -> Iterator[str]:
    """A sentence with its remedy for each. Raises one of db.ERRORS."""
    if database.dialect == "sqlite":
        return
    query = database.url.query
    with database.read() as tx:
        if tx.exec_driver_sql(READ_ONLY.get(database.dialect, "SELECT @@global.read_only")).scalar() in (1, "on"):
            yield "it is read-only: make it the primary, or let the URL name the primary"
        if database.dialect == "postgresql":
            hosts = query.get("host", "")
            if (isinstance(hosts, tuple) or "," in hosts) and query.get("target_session_attrs") != "read-write":
                yield "the URL names several hosts, of which one may be a standby: add target_session_attrs=read-write"
            return
        galera = {name.lower(): value for name, value in tx.exec_driver_sql(GALERA)}
    if int(galera.get("wsrep_cluster_size", 0)) < 2:
        return
    if "read_timeout" not in query:
        yield ("a statement whose node of Galera is lost waits for it for a quarter of an hour: add read_timeout=15 to "
               "the URL")
    if galera["wsrep_node_address"] == database.url.host and galera["wsrep_sync_wait"] == "0":
        yield ("the URL names one node of Galera, and services on other nodes see its changes late: let it lead to a "
               "balancer, or add init_command=SET%20wsrep_sync_wait%3D1")
