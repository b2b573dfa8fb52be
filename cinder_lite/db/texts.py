"""Converts texts and documents to the form in which every database stores them."""

from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.dialects import mysql

#: Characters of a text that are stored: of at most four bytes each, and MariaDB's TEXT has 65,535 bytes.
LONGEST_TEXT = 15_000


def dump(value: Any) -> str:
    """The JSON text of a document."""
    return orjson.dumps(value).decode()


def load(text: str | float) -> Any:
    """The document of a JSON text; SQLite converts one that consists of a number itself."""
    return text if isinstance(text, int | float) else orjson.loads(text)


def bounded(text: object) -> str:
    """The text in a form that every database stores; the number of omitted characters is appended.

    PostgreSQL stores no NUL, and no database half of a surrogate pair.
    """
    text = str(text).encode("utf-8", "replace").decode().replace("\0", "\N{REPLACEMENT CHARACTER}")
    if len(text) <= LONGEST_TEXT:
        return text
    end = f" … ({len(text) - LONGEST_TEXT + 100} characters more)"
    return text[:LONGEST_TEXT - 100] + end


class FreeText(sa.TypeDecorator):
    """A column for reasons and messages, which are shortened to LONGEST_TEXT characters."""

    impl = sa.Text
    cache_ok = True

    def __init__(self, *, long: bool = False):
        super().__init__()
        self.long = long

    def load_dialect_impl(self, dialect: sa.Dialect) -> sa.types.TypeEngine[Any]:
        if self.long and dialect.name in ("mysql", "mariadb"):
            return dialect.type_descriptor(mysql.LONGTEXT())
        return dialect.type_descriptor(sa.Text())

    def process_bind_param(self, value: Any, dialect: sa.Dialect) -> str | None:
        return None if value is None else bounded(value)
