"""Drivers: how volumes are made on a backend."""
