"""Options of the database."""

from oslo_config import cfg

OPTIONS = {
    "database": [
        cfg.StrOpt("connection", default="sqlite:////var/lib/cinder/cinder.sqlite", secret=True,
                   help="SQLAlchemy URL: sqlite:///path, mysql+pymysql://… or postgresql+psycopg://… "
                        "TLS to MariaDB is used with ssl_ca in it (…/cinder?ssl_ca=/etc/ssl/ca.pem); a server that demands "
                        "TLS denies access without."),
        cfg.IntOpt("max_pool_size", default=20, min=1, help="Connections kept open by a process, of each kind."),
        cfg.IntOpt("max_overflow", default=30, min=0, help="Connections beyond these when all are busy."),
        cfg.IntOpt("pool_timeout", default=30, min=1, help="Seconds to wait for a free connection."),
        cfg.IntOpt("connection_recycle_time", default=3600, min=1, help="Seconds after which a connection is renewed."),
    ],
}
