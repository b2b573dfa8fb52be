"""Host strings, host@backend#pool, which say where a volume is."""


def service_of(host):
    """host@backend of a volume's host string."""
    return host.partition("#")[0] if host else None
