"""Runs the jobs of the volume service on its backends."""
