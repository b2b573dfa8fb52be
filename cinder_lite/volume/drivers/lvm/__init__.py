"""Volumes in a volume group. `driver` decides, `thin` and `thick` how; `commands` and `parsing` know LVM's language."""
