"""Volumes in a Ceph pool. `driver` decides; `images`, `removal` and `opened` do it, in a process of their own (`child`)."""
