"""A process without free file descriptors recovers: the API, and the metrics server."""

import contextlib
import os
import resource
import socket

import requests

from tests.functional.service import Apart, until
from tests.services.processes import free_port

FILE = "[file-1]\nvolume_driver = file\nfile_volume_dir = {state}/volumes\ntarget_helper = nbd\n"


def test_a_process_without_descriptors_serves_again_when_there_are_some():
    port = free_port()
    sections = {"file-1": f"{FILE}[metrics]\nenabled = true\naddress = 127.0.0.1\nports = all:{port}\n"}
    service = Apart(target=False, sections=sections)
    output = os.path.join(service.state, "output")
    try:
        service.launch("all")
        until(service.answers, "the API to answer")
        assert requests.get(f"http://127.0.0.1:{port}/metrics", timeout=60).ok
        with contextlib.ExitStack() as held:
            limits = resource.prlimit(service.main.pid, resource.RLIMIT_NOFILE)
            most = len(os.listdir(f"/proc/{service.main.pid}/fd")) + 10
            resource.prlimit(service.main.pid, resource.RLIMIT_NOFILE, (most, limits[1]))
            for _ in range(40):
                for one in (service.port, port):
                    held.enter_context(socket.create_connection(("127.0.0.1", one), timeout=60))
            until(lambda: open(output).read().count("connections cannot be accepted") == 2, "both to say so")
            resource.prlimit(service.main.pid, resource.RLIMIT_NOFILE, limits)
        assert service.answers()
        assert requests.get(f"http://127.0.0.1:{port}/metrics", timeout=60).ok
    finally:
        service.stop()
        service.remove()
