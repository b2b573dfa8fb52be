"""Targets: how a local device is exported to other hosts."""
