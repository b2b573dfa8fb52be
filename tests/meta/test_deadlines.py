"""Each outgoing call has a deadline, and requests to other services are watched: docs/limits.md has the table."""

import ast

from tests.meta import source

#: Functions that wait for something outside of the process, by the last part of their names, and need a timeout.
WAITING = {"Session", "load_session_from_conf_options", "prepare", "communicate", "create_connection", "urlopen",
           "HTTPConnection", "HTTPSConnection", "follow_command"}
#: Those of them that have none -> why.
WITHOUT = {
    ("cinder_lite/rpc/notification_bus.py", "prepare"): "a notification is sent, nothing is waited for",
    ("cinder_lite/image/qemu.py", "follow_command"): "a conversion takes as long as its image is large; a cancelled "
                                                     "job kills it when it next reports its progress",
}
#: What makes sessions of keystoneauth; the modules that do have to watch them.
SESSIONS = {"Session", "load_session_from_conf_options", "AuthProtocol"}


def calls(module):
    """(name without its qualifier, names of keywords) of each call in a module."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Call):
            name = getattr(node.func, "attr", getattr(node.func, "id", ""))
            yield name, {word.arg for word in node.keywords}


def test_calls_that_wait_have_a_timeout():
    found = {(module.name, name) for module in source.modules("cinder_lite") for name, words in calls(module)
             if name in WAITING and "timeout" not in words}
    assert found == set(WITHOUT)


def test_sessions_with_other_services_are_watched():
    found = {module.name: {name for name, _ in calls(module)} for module in source.modules("cinder_lite")}
    made = {name for name, called in found.items() if called & SESSIONS}
    assert len(made) == 3 and {name for name in made if "watched" not in found[name]} == set()


def test_a_call_without_a_timeout_is_found():
    module = source.Module("x.py", "session.Session(verify=True)\nsession.Session(timeout=1)")
    assert list(calls(module)) == [("Session", {"verify"}), ("Session", {"timeout"})]
