"""Paging, sorting, flags and links of query strings."""

import types

import pytest

from cinder_lite import errors
from tests.unit.api.requests import asked


@pytest.mark.parametrize(("query", "limit", "offset", "marker"), [
    ("", 1000, 0, None), ("limit=5", 5, 0, None), ("limit=0", 0, 0, None), ("limit=5000", 1000, 0, None),
    ("limit=9999999999999999999", 1000, 0, None), ("limit=%2B1&offset=2147483647", 1, 2147483647, None),
    ("limit=5&offset=7", 5, 7, None), ("marker=x", 1000, 0, "x"),
])
def test_pages(query, limit, offset, marker):
    paging = asked(query).paging()
    assert (paging.limit, paging.offset, paging.marker) == (limit, offset, marker)


@pytest.mark.parametrize("query", [
    "limit=", "limit=-1", "limit=x", "limit=1.5", "offset=-1", "offset=x", "offset=", "offset=2147483648",
    pytest.param("limit=" + "9" * 5000, id="a long limit"),
])
def test_invalid_pages(query):
    with pytest.raises(errors.InvalidInput):
        asked(query).paging()


@pytest.mark.parametrize(("query", "sort"), [
    ("", ()), ("sort=name", (("name", "desc"),)), ("sort=name:asc", (("name", "asc"),)),
    ("sort=a:asc,b", (("a", "asc"), ("b", "desc"))), ("sort=a:ASC,,b:desc", (("a", "asc"), ("b", "desc"))),
    ("sort=display_name:asc", (("name", "asc"),)), ("sort_key=size", (("size", "desc"),)),
    ("sort_key=size&sort_dir=asc", (("size", "asc"),)), ("sort_dir=asc", (("created_at", "asc"),)),
    ("sort_key=a&sort_key=b&sort_dir=asc", (("a", "asc"), ("b", "asc"))),
    ("sort_key=a&sort_key=b&sort_dir=asc&sort_dir=desc", (("a", "asc"), ("b", "desc"))),
])
def test_orders(query, sort):
    assert asked(query).paging().sort == sort


@pytest.mark.parametrize("query", [
    "sort=a&sort_key=b", "sort=a&sort_dir=asc", "sort=a:up", "sort_key=a&sort_dir=down",
    "sort_key=a&sort_dir=asc&sort_dir=asc",
])
def test_invalid_orders(query):
    with pytest.raises(errors.InvalidInput):
        asked(query).paging()


@pytest.mark.parametrize(("version", "refused"), [("3.29", True), ("3.30", False)])
def test_names_sort_from_a_version_on(version, refused):
    req = asked("sort=name", version)
    if refused:
        with pytest.raises(errors.InvalidInput):
            req.paging(name_since="3.30")
    else:
        req.paging(name_since="3.30")


@pytest.mark.parametrize(("query", "value"), [
    ("", False), ("f=true", True), ("f=1", True), ("f=YES", True), ("f=0", False), ("f=off", False), ("f=tRue", True),
    ("f=T", True)])
def test_flags(query, value):
    assert asked(query).flag("f") is value


@pytest.mark.parametrize("query", ["f=", "f=perhaps", "f=2", "f=+true"])
def test_invalid_flags(query):
    with pytest.raises(errors.InvalidInput):
        asked(query).flag("f")


@pytest.mark.parametrize(("query", "admin", "everything"), [
    ("all_tenants=1", True, True), ("all_tenants=true", True, True), ("all_tenants=0", True, False),
    ("all_tenants=1", False, False), ("", True, False)])
def test_all_projects_are_for_administrators(query, admin, everything):
    assert asked(query, admin=admin).all_projects is everything


def test_filters_exclude_paging_and_sorting_keys():
    req = asked("limit=1&marker=x&offset=0&sort=a&sort_key=b&sort_dir=c&with_count=1&all_tenants=1&name=n&size=1")
    assert req.filters() == {"name": "n", "size": "1"}


def test_the_next_link_keeps_the_query_with_another_marker():
    link = asked("limit=1&marker=old&name=a%26b%20%C3%BC").next_link("new")
    assert link == "http://127.0.0.1:8776/v3/volumes?limit=1&name=a%26b+%C3%BC&marker=new"


@pytest.mark.parametrize(("endpoint", "headers", "root"), [
    (None, {}, "http://127.0.0.1:8776"),
    (None, {"X-Forwarded-Host": "a.example.org, b"}, "http://a.example.org"),
    (None, {"X-Forwarded-Host": "a/b?c"}, "http://127.0.0.1:8776"),
    (None, {"X-Forwarded-Host": "a.example.org", "X-Forwarded-Proto": "javascript"}, "http://a.example.org"),
    (None, {"X-Forwarded-Host": "a.example.org", "X-Forwarded-Proto": "https"}, "https://a.example.org"),
    ("https://b.example.org/x/", {"X-Forwarded-Host": "a.example.org"}, "https://b.example.org/x"),
])
def test_the_root_url_of_clients(endpoint, headers, root):
    req = asked(public_endpoint=endpoint, oslo_middleware=types.SimpleNamespace(enable_proxy_headers_parsing=True))
    req.http.headers.update(headers)
    assert req.root == root


def test_forwarded_headers_are_ignored_by_default():
    req = asked()
    req.http.headers.update({"X-Forwarded-Host": "evil.example.org", "X-Forwarded-Proto": "https",
                             "Forwarded": "host=evil"})
    assert req.root == "http://127.0.0.1:8776"
