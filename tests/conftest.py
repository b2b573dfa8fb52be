"""Selects the concurrency mode before any other import."""

from cinder_lite import concurrency

concurrency.patch()

import threading  # noqa: E402

# Under eventlet the running thread is not the main one by its object. pytest-timeout then starts a timer in place of
# setting an alarm, and the timer, which is green, never runs when a test blocks the process.
threading.main_thread = lambda thread=threading.current_thread(): thread


def pytest_collection_modifyitems(config, items):
    if concurrency.GREEN:
        config.hook.pytest_deselected(items=[item for item in items if item.get_closest_marker("once")])
        items[:] = [item for item in items if not item.get_closest_marker("once")]
