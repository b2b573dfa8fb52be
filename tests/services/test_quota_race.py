"""Many clients against one quota: it is never exceeded, and the usage equals the sum of the rows."""

import random
import threading

import pytest

from tests.services import checks, daemons

LIMIT, CLIENTS, REQUESTS = 100, 32, 20


@pytest.fixture
def service(database, broker):
    with daemons.Daemons(database.url, broker.url, driver="null",
                         changes={"DEFAULT": {"quota_volumes": LIMIT}}) as four:
        yield four.start()


class Greedy(threading.Thread):
    """Creates more volumes than the quota allows, and deletes some of them."""

    def __init__(self, service, number):
        super().__init__(daemon=True)
        self.service, self.random = service, random.Random(number)
        self.made, self.answers = [], []

    def run(self):
        for _ in range(REQUESTS):
            if self.made and self.random.random() < 0.35:
                path = f"/volumes/{self.made.pop(self.random.randrange(len(self.made)))}"
                self.answers.append(("DELETE", self.service.request("DELETE", path)[0]))
            else:
                status, body = self.service.request("POST", "/volumes", {"volume": {"size": 1}})
                self.answers.append(("POST", status))
                if status == 202:
                    self.made.append(body["volume"]["id"])


def test_a_limit_is_never_passed(service, database):
    clients = [Greedy(service, number) for number in range(CLIENTS)]
    for client in clients:
        client.start()
    most = 0
    while any(client.is_alive() for client in clients):
        for query in ("SELECT in_use FROM quota_usages WHERE resource = 'volumes' AND type_id = ''",
                      "SELECT count(*) FROM volumes WHERE counted"):
            seen = [n for (n,) in checks.rows(database, query)]
            most = max([most, *seen])
            assert most <= LIMIT
        clients[0].join(0.02)
    assert most == LIMIT
    answers = {answer for client in clients for answer in client.answers}
    assert answers - {("DELETE", 400)} == {("POST", 202), ("POST", 413), ("DELETE", 202)}
    checks.await_rest(service, database)
    assert checks.usage(database) == []
    assert checks.pools(database) == []
