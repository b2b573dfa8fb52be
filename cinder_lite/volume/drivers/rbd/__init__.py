"""The RBD driver: `driver` calls `images`, `trash` and `image_io`, which run in a separate process (`child`)."""
