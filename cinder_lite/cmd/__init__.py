"""The daemons' entry points."""
