"""The drivers, which create volumes on a backend."""
