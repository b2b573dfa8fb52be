"""Backups: the domain's verbs, the backup service and its stores."""
