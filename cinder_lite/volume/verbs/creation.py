"""Creates volumes."""

from typing import Any

from oslo_config import cfg

from cinder_lite import context, db
from cinder_lite.volume.flows.wanted import Wanted


class Creation:
    """The creation of volumes, empty or from a source."""

    def __init__(self, database: db.Database, conf: cfg.ConfigOpts, scheduler: Any) -> None:
        """`scheduler` is the client of the schedulers."""
        self.db, self.conf, self.scheduler = database, conf, scheduler
        self._flow: Any = None

    def create(self, ctx: context.Context, wanted: Wanted) -> db.Row:
        """Create a volume. Returns its row."""
        # taskflow is not needed to answer a GET: it is imported by the first create.
        from cinder_lite.volume.flows import api_create

        if self._flow is None:
            self._flow = api_create.build_flow(self.db, self.conf, self.scheduler)
        return api_create.run(self._flow, ctx, wanted)
