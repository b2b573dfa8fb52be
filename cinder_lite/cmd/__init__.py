"""Contains the entry points of the daemons and of cinder-lite-manage."""
