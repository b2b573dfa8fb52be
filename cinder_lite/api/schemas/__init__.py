"""What request bodies may hold, per resource."""
