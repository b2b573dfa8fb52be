"""A host that opens a volume in Ceph with its connection information, run by the system's Python.

The first line of the input is the information as JSON, answered by "in" or the reason of a refusal. Each further line
is "read" or "write", answered by "done" or the error.
"""

import json
import sys

import rados
import rbd

LENGTH = 4096


def main():
    info = json.loads(sys.stdin.readline())
    pool, name = info["name"].split("/")
    monitors = ",".join(f"v1:{host}:{port}" for host, port in zip(info["hosts"], info["ports"], strict=True))
    conf = {"mon_host": monitors, "key": info["keyring"].rpartition("key = ")[2].split()[0], "rbd_cache": "false"}
    try:
        with rados.Rados(rados_id=info["auth_username"], conf=conf) as cluster, cluster.open_ioctx(pool) as ioctx, \
                rbd.Image(ioctx, name) as image:
            print("in", flush=True)
            for line in sys.stdin:
                print(answer(image, line.strip()), flush=True)
    except (rados.Error, rbd.Error) as error:
        print(error, flush=True)


def answer(image, command):
    try:
        if command == "read":
            image.read(0, LENGTH)
        else:
            image.write(b"\7" * LENGTH, 0)
            image.flush()
    except (rados.Error, rbd.Error) as error:
        return str(error)
    return "done"


if __name__ == "__main__":
    main()
