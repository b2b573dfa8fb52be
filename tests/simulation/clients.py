"""Clients of a world: each sends a drawn sequence of requests, valid or not, about the resources that there are."""

import eventlet

from tests.simulation.site import Lost

PROJECTS = ("a0000000000000000000000000000001", "b0000000000000000000000000000002")
#: The longest time in seconds that a client waits for its last result, and how often it takes the resource that was
#: last taken by any.
WAITING, MEETING = 60, 0.35


class Client:
    """One user of a project. `rng` draws which of the `actions`, functions of the client, it does; the first two
    are always `first`. `thinking` is the longest time in seconds between two requests."""

    def __init__(self, site, name, project, rng, requests, thinking, first, actions):
        self.site, self.name, self.project, self.rng, self.requests = site, name, project, rng, requests
        self.thinking, self.first, self.actions = thinking, first, actions
        self.accepted = []

    def run(self):
        for number in range(self.requests):
            eventlet.sleep(self.rng.uniform(0, self.thinking))
            action = self.first if number < 2 else self.rng.choice(self.actions)
            try:
                action(self)
            except Lost:
                pass

    def send(self, method, path, body=None):
        status, document = self.site.request(method, path, self.project, body)
        if status == 202:
            self.accepted.append((method, path))
        return status, document

    def one(self, kind, **having):
        """The id of a drawn resource of the project, or None; most of the time of one that has these values."""
        rows = self.site.rows(f'SELECT * FROM "{kind}" WHERE project_id = ? ORDER BY created_at, id', self.project)
        fitting = [row for row in rows if all(row[key] in (value if isinstance(value, tuple) else (value,))
                                              for key, value in having.items())]
        # Clients meet at the same resource, whatever its status has become meanwhile.
        met = [row for row in rows if row["id"] == self.site.recent.get((kind, self.project))]
        chosen = fitting if fitting and self.rng.random() < 0.9 else rows
        chosen = met if met and self.rng.random() < MEETING else chosen
        found = self.rng.choice(chosen) if chosen else None
        if found is not None:
            self.site.recent[kind, self.project] = found["id"]
        return found

    def settle(self):
        """Wait a while, as for the end of the last request."""
        eventlet.sleep(self.rng.uniform(0, WAITING))


def with_one(kind, **having):
    """Decorator: the action gets a drawn resource, and does nothing without any."""
    def decorate(function):
        def act(client):
            found = client.one(kind, **having)
            if found is not None:
                function(client, found)
        act.__name__ = function.__name__
        return act
    return decorate


def reset_of(kind, path, action="os-reset_status"):
    """The request that sets a drawn resource of the table `kind` to a drawn status."""
    @with_one(kind)
    def reset(client, row):
        client.site.reset.add(row["id"])
        client.send("POST", f"/{path}/{row['id']}/action", {action: {
            "status": client.rng.choice(("available", "error"))}})

    reset.__name__ = f"reset_{kind}"
    return reset
