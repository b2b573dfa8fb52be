"""Options of the database."""

from oslo_config import cfg

OPTIONS = {
    "database": [
        cfg.StrOpt("connection", default="sqlite:////var/lib/cinder/cinder.sqlite", secret=True,
                   help="SQLAlchemy URL: sqlite:///path, postgresql://…, mysql://… (by mysqlclient if it is installed "
                        "and threads are native, otherwise by PyMySQL) or mysql+pymysql://… The parameter ssl_ca "
                        "enables TLS to MariaDB (…/cinder?ssl_ca=/etc/ssl/ca.pem), which a server may require."),
        cfg.IntOpt("max_pool_size", default=8, min=1, max=1000,
                   help="Number of connections that a process keeps open for reading, and as many for writing."),
        cfg.IntOpt("max_overflow", default=4, min=0, max=1000,
                   help="Maximum number of additional connections of each kind while all of it are in use."),
        cfg.IntOpt("pool_timeout", default=30, min=1, help="Seconds to wait for a free connection."),
        cfg.IntOpt("connection_recycle_time", default=3600, min=1,
                   help="Age, in seconds, at which a connection is replaced."),
    ],
}
