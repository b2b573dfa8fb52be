"""Runs commands on the hosts of the lab: a server on each host, and its client.

A request is one line of JSON. The response is a sequence of frames: a letter (o: stdout, e: stderr, x: exit status),
the length in four bytes, the data. Closing the connection early ends the command and all processes that it started.
"""

import contextlib
import json
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import threading

PORT = 90
CONTROL, LAN = "10.89.0", "10.90.0"
#: The host number of the machine on which the hosts run; it has the other ends of their network links.
OUTSIDE = 254


def address(host, network=CONTROL):
    """Return the address of a host in one of the two networks."""
    return f"{network}.{host}"


def frame(kind, data):
    return kind + struct.pack(">I", len(data)) + data


def be_of_service(host):
    """Serve commands as a host of the lab, forever. Notifies the outside machine, which waits for it at the start."""
    listening = listen(host)
    with contextlib.suppress(OSError), socket.create_connection((address(OUTSIDE), PORT + 1)) as ready:
        ready.sendall(b"%d\n" % host)
    serve(listening)


def serve(listening):
    """Serve commands from a listening socket, forever."""
    while True:
        connection, _ = listening.accept()
        threading.Thread(target=_serve_one, args=(connection,), daemon=True).start()


def listen(host):
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind((address(host), PORT))
    sock.listen()
    return sock


def _serve_one(connection):
    with connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        request = b""
        while not request.endswith(b"\n"):
            more = connection.recv(65536)
            if not more:
                return
            request += more
        with contextlib.suppress(OSError):
            _execute(connection, **json.loads(request))


def _execute(connection, argv, cwd, env):
    try:
        # With --root, the working directory of the client may not exist on the host.
        process = subprocess.Popen(argv, cwd=cwd if os.path.isdir(cwd) else "/", env={**env, **own_environment()},
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   start_new_session=True)
    except OSError as error:
        connection.sendall(frame(b"e", f"kernel-lab: {argv[0]}: {error.strerror}\n".encode()) + frame(b"x", b"127"))
        return
    try:
        _relay(connection, process)
        status = process.wait()
        connection.sendall(frame(b"x", str(status if status >= 0 else 128 - status).encode()))
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def own_environment():
    """Return the variables that this host adds to the environment of a command."""
    return {name: value for name, value in os.environ.items() if name.startswith("KERNEL_LAB")
            or name == "DM_DISABLE_UDEV"}


def _relay(connection, process):
    """Forward the output of the process until the process has ended and its streams are closed or idle."""
    streams = {process.stdout.fileno(): b"o", process.stderr.fileno(): b"e"}
    while streams:
        ready = select.select([*streams, connection], [], [], 0.2)[0]
        if connection in ready:
            raise ConnectionError("the client has disconnected")
        for stream in ready:
            data = os.read(stream, 65536)
            if data:
                connection.sendall(frame(streams[stream], data))
            else:
                del streams[stream]
        if not ready and process.poll() is not None:
            return


def run(host, argv, output, errors, cwd="/", env=None):
    """Run a command on a host of the lab; `output` and `errors` receive its output. Returns its exit status."""
    with socket.create_connection((address(host), PORT)) as connection:
        connection.sendall(json.dumps({"argv": argv, "cwd": cwd, "env": dict(env or os.environ)}).encode() + b"\n")
        while True:
            kind, length = struct.unpack(">cI", _exactly(connection, 5))
            data = _exactly(connection, length)
            if kind == b"x":
                return int(data)
            (output if kind == b"o" else errors)(data)


def _exactly(connection, length):
    data = b""
    while len(data) < length:
        more = connection.recv(length - len(data))
        if not more:
            raise ConnectionError("the host of the lab has ended")
        data += more
    return data


if __name__ == "__main__":
    be_of_service(int(sys.argv[1]))
