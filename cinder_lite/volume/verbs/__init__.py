"""Checks and records the operations that the API offers on volumes, snapshots, groups and attachments."""
