"""Selects the type of a new volume and evaluates what it allows; represents the row of a volume before it is read."""

from typing import Any

import sqlalchemy as sa
from oslo_config import cfg

from cinder_lite import db, errors, states
from cinder_lite.db.types import ROW, D, T
from cinder_lite.db.volumes import Row

_DEFAULT = ROW.outerjoin(D, sa.and_(D.c.volume_type_id == T.c.id, D.c.project_id == sa.bindparam("project_id"))).where(
    sa.or_(T.c.name == sa.bindparam("name"), D.c.project_id == sa.bindparam("project_id"))).add_columns(D.c.project_id)


def default_type(tx: db.Transaction, conf: cfg.ConfigOpts, project_id: str | None) -> db.Row:
    """The default type of volumes: that of the project, else the configured one."""
    rows = tx.execute(_DEFAULT, {"project_id": project_id, "name": conf.default_volume_type}).all()
    if not rows:
        raise errors.DefaultTypeMissing(name=conf.default_volume_type)
    return min(rows, key=lambda row: row.project_id is None)


def check_size(type_: Any, size: int) -> None:
    """Raise InvalidInput for a size that the type does not allow."""
    least, most = (_number(type_.extra_specs.get(f"provisioning:{end}_vol_size")) for end in ("min", "max"))
    if least is not None and size < least:
        raise errors.InvalidInput(reason=f"Volumes of type {type_.name} have {least} GiB at least, not {size}.")
    if most is not None and size > most:
        raise errors.InvalidInput(reason=f"Volumes of type {type_.name} have {most} GiB at most, not {size}.")


def _number(spec):
    """The value of an extra spec as a number; None if it is none, as in rows of former releases."""
    return int(spec) if isinstance(spec, str) and spec.isascii() and spec.isdecimal() and len(spec) < 10 else None


def is_multiattach(type_: Any) -> bool:
    """Whether volumes of the type can be attached more than once: its extra spec multiattach is "<is> True"."""
    words = (type_.extra_specs.get("multiattach") or "").split()
    return len(words) == 2 and words[0] == "<is>" and words[1].lower() in ("true", "t", "yes", "y", "1")


_UNSET = dict.fromkeys(Row._fields) | {
    "attach_status": states.DETACHED, "bootable": False, "multiattach": False, "counted": True, "consumes_quota": True,
    "shared_targets": True}


def inserted(values: dict[str, Any], type_: db.Row) -> Any:
    """The row after an INSERT of these values, without a SELECT. `type_` is the row of its type."""
    return Row(**_UNSET | values | {"type_name": type_.name, "type_extra_specs": type_.extra_specs,
                                    "type_encryption": type_.encryption, "type_qos_id": type_.qos_specs_id})
