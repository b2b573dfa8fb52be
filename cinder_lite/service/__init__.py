"""Processes: the daemon, its workers and the services in them."""
