"""Backups: the API's operations, the backup service and its stores."""
