"""Ids, secrets and random numbers: cryptographic, unless another source is installed."""

import random
import uuid
from collections.abc import Sequence
from typing import TypeVar

Item = TypeVar("Item")

_source: random.Random = random.SystemRandom()


def install(source: random.Random) -> None:
    """Draw from another source from now on, such as a seeded one."""
    global _source
    _source = source


def new_id() -> str:
    """A UUID of version 4."""
    return str(uuid.UUID(int=_source.getrandbits(128), version=4))


def token_bytes(length: int) -> bytes:
    """So many bytes, for keys and salts."""
    return _source.randbytes(length)


def token_hex(length: int) -> str:
    """So many bytes as text, twice as long."""
    return token_bytes(length).hex()


def choice(items: Sequence[Item]) -> Item:
    return _source.choice(items)


def randrange(stop: int) -> int:
    """A whole number from 0 to `stop - 1`."""
    return _source.randrange(stop)


def generator(seed: int | None = None) -> random.Random:
    """A fast generator that is not for secrets; without a seed it starts from a number of the source."""
    return random.Random(_source.getrandbits(64) if seed is None else seed)
