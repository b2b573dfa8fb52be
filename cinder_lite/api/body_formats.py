"""The formats that schemas of bodies name, beyond those of JSON Schema: their checks, and phrases of their errors."""

import base64
import functools
import unicodedata
from collections.abc import Callable
from typing import Any

import jsonschema
import orjson

#: The largest number that an integer column can store.
MAX_INTEGER = 2**31 - 1
#: The number of bytes of a text that every database can store.
MAX_TEXT_BYTES = 65535
#: The length as JSON of an object that is stored without a schema.
MAX_OBJECT_CHARACTERS = 16384


def _of_texts(check: Callable[[str], bool]) -> Callable[[Any], bool]:
    """The check of texts alone: the schema's type decides about all other values."""
    return lambda value: not isinstance(value, str) or check(value)


def _whole(value: Any) -> int | None:
    """The value of an integer or of its digits; None for anything else."""
    if isinstance(value, str):
        return int(value) if value.isascii() and value.isdecimal() and len(value) < 18 else None
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _is_size(value):
    return value is None or 0 < (_whole(value) or 0) <= MAX_INTEGER


def _is_natural(value):
    # As in Cinder, leading zeros are not accepted.
    number = _whole(value)
    return value is None or (number is not None and 0 <= number <= MAX_INTEGER and str(number) == str(value))


def _is_uuid(text):
    plain = text.replace("-", "")
    return len(plain) == 32 and not plain.strip("0123456789abcdefABCDEF")


@functools.lru_cache(maxsize=4096)
def _can_be_printed(letter):
    """Whether it is printable and in the first plane of Unicode, as Cinder requires of a description."""
    kind = unicodedata.category(letter)
    return ord(letter) < 0xFFFF and kind[0] != "C" and kind not in ("Zl", "Zp")


def _is_small(value):
    return not isinstance(value, dict | str) or len(orjson.dumps(value)) <= MAX_OBJECT_CHARACTERS


def _is_limit(value):
    return not isinstance(value, bool | float | None) and -1 <= int(value) <= MAX_INTEGER


#: format -> (its check, the end of the sentence for a value that does not have it). A ValueError is a failed check too.
_FORMATS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "uuid": (_of_texts(_is_uuid), "is not a UUID"),
    "size": (_is_size, "is not a whole number of GiB above 0"),
    "natural": (_is_natural, "is not a whole number of 0 or more"),
    "printable": (_of_texts(lambda text: all(map(_can_be_printed, text))), "has characters that cannot be printed"),
    "padded": (_of_texts(lambda text: len(text.strip()) <= 255), "has more than 255 characters"),
    "padded_name": (_of_texts(lambda text: 0 < len(text.strip()) <= 255), "is empty"),
    "name": (_of_texts(lambda text: bool(text.strip())), "is empty"),
    "text": (_of_texts(lambda text: len(text.encode()) <= MAX_TEXT_BYTES), f"has more than {MAX_TEXT_BYTES} bytes"),
    "small": (_is_small, f"has more than {MAX_OBJECT_CHARACTERS} characters"),
    "base64": (_of_texts(lambda text: base64.b64decode(text) is not None), "is not in Base64"),
    "limit": (_is_limit, f"is not a whole number from -1 (unlimited) to {MAX_INTEGER}"),
}
PHRASES = {name: phrase for name, (_, phrase) in _FORMATS.items()}
CHECKER = jsonschema.FormatChecker(formats=())
for _name, (_check, _) in _FORMATS.items():
    CHECKER.checks(_name, raises=(TypeError, ValueError, OverflowError))(_check)
