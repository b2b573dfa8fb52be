"""Preconditions of this tier: Glance serves ranges, accepts images with false formats, and survives a kill."""

import os


def test_an_image_outlives_glance_and_can_be_read_from_the_middle(glance):
    data = os.urandom(100_000)
    id = glance.create(data)
    glance.kill()
    glance.start()
    answer = glance.request("GET", f"/v2/images/{id}/file", headers={"Range": "bytes=40000-"})
    assert (answer.status_code, answer.content) == (206, data[40_000:])


def test_content_may_differ_from_what_is_declared(glance):
    id = glance.create(b"no image of that kind" * 100, disk_format="qcow2")
    assert glance.show(id)["status"] == "active"
    glance.delete(id)
    assert glance.show(id) is None
