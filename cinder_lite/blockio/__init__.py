"""Reads, writes and sparsely copies the bytes of volumes."""
