"""The floor's API: waitress in a number of processes on one socket: `python -m floor.api SETTINGS`."""

import json
import os
import re
import socket
import sys

import waitress

from floor import documents, flows, messages, recording, replay

#: Requests that wait for the volume service.
CALLS = ("PUT /attachments/{id}", "DELETE /attachments/{id}")
STATUSES = {200: "200 OK", 202: "202 Accepted", 204: "204 No Content", 404: "404 Not Found"}


class Application:
    """Answers the recorded requests."""

    def __init__(self, settings):
        self._operations, self._base = settings["operations"], settings["base"]
        self._player = replay.Player(settings["database"], self._operations, "api")
        connection = messages.transport(settings["broker"])
        self._clients = {role: messages.Client(connection, role) for role in ("scheduler", "volume")}
        self._flow = flows.of("api")
        self._next = {name: next((unit["role"] for unit in one["units"] if unit["role"] != "api"), None)
                      for name, one in self._operations.items()}

    def __call__(self, environ, start_response):
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"].removeprefix(self._base)
        if environ.get("QUERY_STRING"):
            path = f"{path}?{environ['QUERY_STRING']}"
        length = int(environ.get("CONTENT_LENGTH") or 0)
        body = json.loads(environ["wsgi.input"].read(length)) if length else None
        status, answer = self._read(path) if method == "GET" else self._change(method, path, body)
        text = b"" if answer is None else answer.encode()
        start_response(STATUSES[status], [("Content-Type", "application/json"), ("Content-Length", str(len(text)))])
        return [text]

    def _read(self, path):
        if path == "/volumes/summary":
            return 200, json.dumps({"volume-summary": {"total_count": self._player.count("volumes")}})
        name, found = f"GET {recording.UUID.sub('{id}', path)}", recording.UUID.findall(path)
        rows = self._player.play(name, {f"in{number}": id for number, id in enumerate(found)})
        kind = re.match(r"/(\w+)", path).group(1)
        if found and "?" not in path:
            return (200, documents.one(kind, rows[0])) if rows else (404, '{"itemNotFound": {"code": 404}}')
        return 200, documents.many(kind, rows, "/detail" in path)

    def _change(self, method, path, body):
        name = recording.key(method, path, body)
        operation, role = self._operations[name], self._next[name]
        slots = {f"in{number}": id for number, id in enumerate(recording.ids(path, body))}
        slots |= {"out": replay.new_id(), "name": body and next(iter(body.values())).get("name")}
        if replay.is_create(name):
            self._flow()
        if name in CALLS:
            before = operation["before"]
            self._player.play(name, slots, 0, before)
            self._clients[role].call(name, slots)
            self._player.play(name, slots, before)
        else:
            self._player.play(name, slots)
            if role is not None:
                self._clients[role].cast(name, slots)
        parts = operation["answer"]
        return operation["status"], parts and "".join(
            slots.get(part, "") if index % 2 else part for index, part in enumerate(parts))


def main():
    settings = replay.settings(sys.argv[1])
    sock = socket.create_server(("127.0.0.1", settings["port"]), backlog=1024)
    children = [pid for _ in range(settings["processes"]) if (pid := _fork(sock, settings))]
    for pid in children:
        os.waitpid(pid, 0)


def _fork(sock, settings):
    pid = os.fork()
    if not pid:
        waitress.serve(Application(settings), sockets=[sock], threads=settings["threads"])
        os._exit(0)
    return pid


if __name__ == "__main__":
    main()
