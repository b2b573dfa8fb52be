"""The taskflow flows that create volumes."""
