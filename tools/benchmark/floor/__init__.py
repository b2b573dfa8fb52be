"""A bare program that does a service's necessary work and nothing else: what that work costs on this machine.

Four processes: an API (waitress, two workers), a scheduler, a volume service, and an idle backup service. Each request
executes the SQL statements that cinder-lite executes for it, in the same transactions, sends the same messages by
oslo.messaging, and runs the same taskflow flows, with empty tasks. The statements are not written down here: they are
recorded from the cinder-lite beside it (recording.py) and replayed with other ids and times (replay.py), on a copy of
its database. So the floor follows the service: a statement that cinder-lite saves is saved here too.

Statements go to the DBAPI driver as text with parameters, over SQLAlchemy's pool, with the settings of cinder-lite's
connections: building statements by SQLAlchemy is a cost of the program, not of the work. Casts are sent by a thread of
their own, as cinder-lite's are, so that an answer does not wait for the broker.

It imports the libraries as they are, so that its memory and its start are those of the libraries.

What it leaves out: authentication, policy, validation, microversions, quota decisions, placement, the driver,
requests' contexts in messages, heartbeats, sweeps for lost jobs, leases, retries except after deadlocks, limits on
clients, logs, metrics, notifications, traces, errors other than 404.
"""
