"""The floor's scheduler, volume and backup service: `python -m floor.services ROLE SETTINGS`."""

import sys
import threading

from floor import messages, replay


def _flow():
    from floor import flows

    return flows.of("volume")


def main():
    role, settings = sys.argv[1], replay.settings(sys.argv[2])
    connection = messages.transport(settings["broker"])
    if role != "backup":
        player = replay.Player(settings["database"], settings["operations"], role)
        volume = messages.Client(connection, "volume") if role == "scheduler" else None
        flow = _flow() if role == "volume" else None

        def run(name, slots):
            if flow is not None and replay.is_create(name):
                flow()
            player.play(name, slots)
            if volume is not None:
                volume.cast(name, slots)
    else:
        def run(name, slots):
            pass
    messages.serve(connection, role, run)
    threading.Event().wait()


if __name__ == "__main__":
    main()
