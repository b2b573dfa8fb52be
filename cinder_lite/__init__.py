"""cinder-lite: a block storage service that speaks the Block Storage API v3."""
