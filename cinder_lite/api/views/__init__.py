"""What answers show, per resource."""

