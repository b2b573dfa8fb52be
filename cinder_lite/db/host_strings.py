"""Parses host strings (host@backend#pool), which name the location of a volume."""

from cinder_lite import db, errors
from cinder_lite.db import members, services


def service_of(host: str | None) -> str | None:
    """host@backend of a volume's host string."""
    return host.partition("#")[0] if host else None


def find_up(tx: db.Transaction, host: str, down_time: float) -> db.Row:
    """The volume service that a host string names. Raises ServiceUnknown, or InvalidInput unless it is up."""
    found = services.find(tx, "cinder-volume", service_of(host))
    if found is None:
        known = ", ".join(row.host for row in members.backends(tx))
        raise errors.ServiceUnknown(host=service_of(host), known=known)
    if not services.is_up(found, down_time):
        raise errors.InvalidInput(reason=f"The volume service {found.host} is not up.",
                                  public="Invalid input received: The volume service is not up.")
    return found
