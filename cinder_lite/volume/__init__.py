"""Volumes: the domain's verbs, the volume service and its drivers."""
