"""Finds the current thread of a greenlet fast."""

import threading


def cache() -> None:
    """Keep each greenlet's thread object with it: eventlet searches all threads at every call of current_thread,
    which every lock of taskflow and every log line makes."""
    import greenlet

    find = threading.current_thread

    def current_thread() -> threading.Thread:
        here = greenlet.getcurrent()
        try:
            return here.cinder_lite_thread
        except AttributeError:
            here.cinder_lite_thread = found = find()
            return found

    threading.current_thread = current_thread
