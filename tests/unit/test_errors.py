"""Error messages for administrators and for members, also of errors from another process."""

import sys

import pytest
from oslo_messaging._drivers import common

from cinder_lite import errors
from cinder_lite.jobs import outcomes
from cinder_lite.rpc import transport
from cinder_lite.volume.drivers import base


def over_the_broker(error):
    """The error as a caller gets it from a service behind a broker."""
    try:
        raise error
    except errors.Error:
        sent = common.serialize_remote_exception(sys.exc_info())
    return common.deserialize_remote_exception(sent, transport.EXPOSED)


@pytest.mark.parametrize("error", [
    errors.BackendFailed(reason="node7: no tgtd answers"), errors.VolumeNotFound(id="x"),
    errors.InvalidInput(reason="bad"),
    errors.NoCapacity(reason="pool node7@a#b is full", public="no capacity"),
    errors.OnAnotherHost(backend="b", host="h", asking="i")])
def test_an_error_has_the_same_message_over_a_broker(error):
    found = errors.as_raised(over_the_broker(error))
    assert (type(found), str(found), found.public, found.status) == (type(error), str(error), error.public,
                                                                     error.status)
    assert "Traceback" not in str(found)


@pytest.mark.parametrize(("error", "text", "public"), [
    (errors.InvalidInput(reason="bad"), "Invalid input received: bad", "Invalid input received: bad"),
    (errors.BackendFailed(reason="lvcreate on node7"), "lvcreate on node7", errors.STORAGE),
    (base.DriverError("vg on node7"), "vg on node7", errors.STORAGE),
    (outcomes.Refused("it is gone"), "it is gone", "it is gone"),
    (outcomes.Refused("it is gone from node7", public="it is gone"), "it is gone from node7", "it is gone"),
    (KeyError("node7"), "unexpected KeyError: 'node7'", errors.HIDDEN)])
def test_a_reason_has_two_texts(error, text, public):
    reason = errors.Reason.of(error)
    assert (str(reason), reason.public, errors.public(reason)) == (text, public, public)


def test_a_plain_text_is_for_administrators():
    assert errors.public("pool node7@a#b is full") == errors.HIDDEN
    assert errors.public(errors.Reason("it is too small")) == "it is too small"
