"""The version of this release."""

import importlib.metadata


def version() -> str:
    """The installed package's version."""
    return importlib.metadata.version("cinder-lite")
