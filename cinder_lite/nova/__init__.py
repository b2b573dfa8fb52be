"""The compute service: its client, and the events it is sent."""
