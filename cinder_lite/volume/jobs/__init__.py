"""The volume service's side: the handlers of its jobs."""
