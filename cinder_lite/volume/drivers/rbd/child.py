"""The process that makes all calls of librbd and librados for one backend, or for one reader or writer of an image.

librbd may end its process (it asserts) and a hung cluster keeps its calls for ever: so this one can be killed at any
time, and the service goes on. It runs on the Python that has Debian's `rados` and `rbd`, and imports nothing else beyond
the standard library. On the inherited socket whose number is its argument it gets its setup and answers with its
address in the cluster; then each further socket that is passed to it there is served by a thread. It ends with that
first socket.
"""

import errno
import os
import socket
import sys
import threading

from cinder_lite.volume.drivers.rbd import protocol
from cinder_lite.volume.drivers.rbd.protocol import Failure


def main():
    control = socket.socket(fileno=int(sys.argv[1]))
    setup, _ = protocol.receive(control)
    try:
        calls = _calls(setup)
        address = calls["address"]()
    except Failure as failure:
        protocol.send(control, {"error": str(failure), "kind": failure.kind})
        os._exit(0)
    protocol.send(control, {"result": address})
    while True:
        _, passed, _, _ = socket.recv_fds(control, 1, 1)
        if not passed:
            os._exit(0)  # the service has ended; nothing waits for threads in calls that hang
        threading.Thread(target=_serve, args=(socket.socket(fileno=passed[0]), calls), daemon=True).start()


def _calls(setup):
    try:
        from cinder_lite.volume.drivers.rbd import cinder_backups, cluster, image_io, images, objects, trash
    except ImportError as error:
        raise Failure(f"{sys.executable} has no librbd ({error}): install python3-rbd and python3-rados",
                      "down") from error
    pool = cluster.Pool(setup)
    return {name: getattr(part, name) for part in (
        pool, images.Images(pool), trash.Removal(pool), image_io.Opened(pool),
        cinder_backups.CindersBackups(pool), objects.Objects(pool)) for name in part.CALLS}


def _serve(sock, calls):
    """Answer one connection's requests, one after the other."""
    while True:
        try:
            request, payload = protocol.receive(sock)
        except (EOFError, ConnectionError):
            sock.close()
            return
        arguments = request["arguments"]
        if payload:
            arguments["data"] = bytes(payload)
        answer, payload = _answer(calls[request["call"]], arguments)
        try:
            protocol.send(sock, answer, payload)
        except ConnectionError:
            return
        if answer.get("kind") == "fenced":
            os._exit(1)


def _answer(function, arguments):
    try:
        result = function(**arguments)
    except Failure as failure:
        return {"error": str(failure), "kind": failure.kind}, b""
    except Exception as error:  # whatever librbd raises is the caller's to know
        # A client that was put on the cluster's blocklist stays there: only a new one can go on.
        number = abs(getattr(error, "errno", None) or 0)
        said = f"{type(error).__name__}: {error}"
        if number in (errno.EDQUOT, errno.ENOSPC):
            said = f"the pool is full: raise its quota, add disks, or delete from it ({said})"
        return {"error": said, "kind": "fenced" if number == errno.ESHUTDOWN else "refused"}, b""
    return ({"result": None}, result) if isinstance(result, bytes) else ({"result": result}, b"")


if __name__ == "__main__":
    main()
