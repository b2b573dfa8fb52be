"""Volumes: the API's operations, the volume service, its drivers and targets."""
