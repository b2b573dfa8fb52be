"""Messages between services of a simulated process: late, twice, in any order, or lost."""

import eventlet

from cinder_lite.rpc import local_transport

#: Probabilities of a cast, and the longest time in seconds that a message takes.
LOST, TWICE, LONGEST = 0.2, 0.1, 1.0


class Network(local_transport.LocalDriver):
    """The transport in memory with the faults of a network. Casts may be lost; calls and their answers are late."""

    def __init__(self, conf, url, world):
        super().__init__(conf, url, default_exchange="openstack")
        self.world, self.lost = world, 0

    def send(self, target, ctxt, message, wait_for_reply=None, **options):
        self.world.record("message", target.topic, target.server, message.get("method"), sorted(
            message.get("args", {}).items()))
        if wait_for_reply:
            self.world.pause(LONGEST)
            return super().send(target, ctxt, message, wait_for_reply, **options)
        if self.world.rng.random() < LOST:
            self.lost += 1
            self.world.record("lost")
            return None
        for _ in range(2 if self.world.rng.random() < TWICE else 1):
            eventlet.spawn_after(self.world.rng.uniform(0, LONGEST), super().send, target, ctxt, message, **options)
        return None
