"""The compute service of a world: it is sent events, and copies volumes in use when it is asked to."""

import json

from cinder_lite import errors
from cinder_lite.nova import client
from tests.simulation import storage
from tests.simulation.site import Lost

#: The longest time in seconds between two requests of a swap.
THINKING = 20


class Nova:
    """Has the methods of cinder_lite.nova.client.Nova; the servers are those of attachments."""

    is_configured = True
    site = None

    def __init__(self, conf, limit=None):
        self.conf = conf

    def may_use(self, server_id, volume_id, attachment_id):
        """Whoever detaches in a world does it for Nova."""
        return False

    def send_event(self, event, servers, volume_id, succeeded):
        storage.performed("nova", event, volume_id, errors.Unavailable, lambda: None)

    def swap(self, server_id, volume_id, new_id):
        if (server_id, volume_id) in Swap.active:
            raise client.NovaRefused("Nova does not copy the volume: it does so already")
        found = self.site.rows("SELECT * FROM attachments WHERE volume_id = ? AND instance_uuid = ?", volume_id,
                               server_id)
        if not found:
            raise client.NovaRefused("Nova does not copy the volume: the server has no such volume")
        begun = Swap(self.site, found[0], server_id, volume_id, new_id)
        storage.performed("nova", "swap", volume_id, errors.Unavailable, lambda: self.site.world.start(None, begun.run))


class Swap:
    """Nova copies a volume of a server to another one, and ends the former attachment."""

    #: [(server, volume)] of the swaps that are under way.
    active = set()

    def __init__(self, site, attachment, server, old, new):
        self.site, self.world, self.attachment, self.server, self.old, self.new = (
            site, site.world, attachment, server, old, new)
        self.project = attachment["project_id"]

    def run(self):
        self.active.add((self.server, self.old))
        failed = not self._switch()
        self._ask("POST", f"/volumes/{self.old}/action", {"os-migrate_volume_completion": {
            "new_volume": self.new, "error": failed}})
        self.active.discard((self.server, self.old))

    def _switch(self):
        """Whether the server has the new volume."""
        self._ask("POST", f"/volumes/{self.old}/action", {"os-begin_detaching": {}})
        status, document = self._ask("POST", "/attachments", {"attachment": {
            "volume_uuid": self.new, "instance_uuid": self.server}})
        if status != 200:
            return False
        made = document["attachment"]["id"]
        connector = json.loads(self.attachment["connector"] or "{}")
        status, _ = self._ask("PUT", f"/attachments/{made}", {"attachment": {"connector": connector}})
        done = status == 200 and self.world.rng.random() < 0.8 and self._copied()
        if done:
            self._ask("POST", f"/attachments/{made}/action", {"os-complete": {}})
        self._ask("DELETE", f"/attachments/{self.attachment['id'] if done else made}")
        return done

    def _copied(self):
        """Copy the data as the server sees it; it writes nothing meanwhile."""
        paths = [self.site.path_of(id) for id in (self.old, self.new)]
        if None in paths:
            return False
        with open(paths[0], "rb") as source, open(paths[1], "r+b") as target:
            target.write(source.read())
        return True

    def _ask(self, method, path, body=None):
        """Nova asks again until it gets an answer."""
        while True:
            self.world.sleep(self.world.rng.uniform(0, THINKING))
            try:
                status, document = self.site.request(method, path, self.project, body)
            except Lost:
                continue
            if status < 500:
                return status, document


def install(site):
    """Use this Nova instead of the real one from now on."""
    client.Nova, Nova.site = Nova, site
