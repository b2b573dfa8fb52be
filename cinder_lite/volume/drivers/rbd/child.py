"""The process that calls librbd and librados for one backend, or for one reader or writer of an image.

librbd can abort its process, and a hung cluster blocks its calls for ever; so this process can be killed at any time
without affecting the service. It runs on the Python that has Debian's `rados` and `rbd`, and imports nothing else
beyond the standard library. It receives its setup on the inherited socket whose number is its argument, and replies
with its address in the cluster; each socket passed over that socket is then served by a thread. It ends when that
socket closes.
"""

import errno
import os
import socket
import sys
import threading

from cinder_lite.volume.drivers.rbd import protocol
from cinder_lite.volume.drivers.rbd.protocol import Failure


def main() -> None:
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
            os._exit(0)  # the service has ended; do not wait for threads in hung calls
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
    """Process the requests of one connection in order."""
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
    except Exception as error:  # all errors of librbd are returned to the caller
        # A client on the cluster's blocklist stays there: only a new one can continue.
        number = abs(getattr(error, "errno", None) or 0)
        text = f"{type(error).__name__}: {error}"
        if number in (errno.EDQUOT, errno.ENOSPC):
            text = f"the pool is full: raise its quota, add disks, or delete from it ({text})"
        return {"error": text, "kind": "fenced" if number == errno.ESHUTDOWN else "refused"}, b""
    return ({"result": None}, result) if isinstance(result, bytes) else ({"result": result}, b"")


if __name__ == "__main__":
    main()
