"""The taskflow flows that make volumes."""
