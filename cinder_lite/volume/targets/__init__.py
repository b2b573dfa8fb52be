"""Targets export local devices to other hosts."""
