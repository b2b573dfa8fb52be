"""Jobs: statuses and their transitions, the worker, and what a job holds."""
