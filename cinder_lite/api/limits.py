"""How much one request may have stored: mappings that are kept with a resource have a bounded number of items."""

from cinder_lite.db import quotas

#: Keys of bodies under which a mapping stands that is stored.
STORED = ("metadata", "extra_specs", "group_specs", "qos_specs")
#: What stands among the specs of a QoS spec and is none.
BESIDE = ("name", "consumer")


def check(conf, document):
    """Raise InvalidInput for a body with more than a resource may have; what is added to a resource is counted there."""
    for key, value in document.items():
        if isinstance(value, dict):
            if key in STORED:
                beside = BESIDE if key == "qos_specs" else ()
                quotas.check_items(conf, {name: one for name, one in value.items() if name not in beside})
            else:
                check(conf, value)
