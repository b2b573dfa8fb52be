"""Chooses a pool for each volume."""
