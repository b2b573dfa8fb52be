"""Nova: the client, the events sent to it, and the check before detaching."""
