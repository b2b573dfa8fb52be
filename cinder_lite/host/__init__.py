"""What belongs to the host: systemd, users, network interfaces and the privileged helper."""
