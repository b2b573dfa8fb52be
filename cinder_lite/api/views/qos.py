"""What answers show of a QoS spec."""


def SPEC(row, _req):
    return {"id": row.id, "name": row.name, "consumer": row.consumer, "specs": row.specs}


def ALONE(row, req):
    """A spec by itself has its links beside it."""
    return {"qos_specs": SPEC(row, req), "links": req.links("qos-specs", row.id)}
