"""The cinder-lite command."""
