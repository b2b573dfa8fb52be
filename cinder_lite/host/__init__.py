"""The host: systemd, users, network interfaces, locks, the privileged helper and the end of a process."""
