"""Which release this is."""

import importlib.metadata


def version():
    """The installed package's version."""
    return importlib.metadata.version("cinder-lite")
