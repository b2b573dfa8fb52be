"""The API's side: what can be done to volumes, snapshots, groups and attachments."""
