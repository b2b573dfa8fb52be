"""Validated tokens are cached in a memcached that several services may share."""

import contextlib

import memcache
import pytest
import requests

from tests.acceptance.installation import Installation
from tests.images.tap import Tap
from tests.services.processes import Directory, Process, free_port, listens

SECRET = "known to the services alone"


@pytest.fixture(scope="module")
def cache():
    port, directory = free_port(), Directory("memcached")
    process = Process("memcached", ["memcached", "-l", "127.0.0.1", "-p", str(port), "-U", "0", "-u", "root"],
                      f"{directory.path}/log")
    process.address = f"127.0.0.1:{port}"
    process.start()
    process.wait(lambda: listens(port))
    yield process
    process.kill()
    directory.remove()


@pytest.fixture(scope="module")
def tap(keystone):
    """Stands between the service and Keystone."""
    with Tap(keystone.port) as running:
        yield running


@pytest.fixture(scope="module")
def remembering(keystone, tap, cache):
    options = {"auth_url": f"{tap.url}/v3", "memcached_servers": cache.address, "memcache_security_strategy": "ENCRYPT",
               "memcache_secret_key": SECRET}
    with Installation(keystone, {"keystone_authtoken": options}) as running:
        yield running


def volumes(service, token):
    return requests.get(f"{service.url}/v3/volumes", headers={"X-Auth-Token": token}, timeout=60).status_code


def kept(cache):
    """The number of tokens in the cache."""
    (_, found), = memcache.Client([cache.address]).get_stats()
    return int(found["curr_items"])


@contextlib.contextmanager
def away(tap):
    """Nothing comes through to Keystone, or from it."""
    tap.close_after(0)
    tap.cut()
    yield
    tap.open()


def test_keystone_is_asked_once_about_a_token(keystone, tap, cache, remembering):
    token, before = keystone.session("ann").get_token(), kept(cache)
    assert volumes(remembering, token) == 200
    assert kept(cache) == before + 1
    with away(tap):
        assert [volumes(remembering, token) for _ in range(3)] == [200, 200, 200]


def test_a_token_that_another_service_looked_at_is_known_after_a_restart(keystone, tap, cache, remembering):
    token = keystone.session("ann").get_token()
    assert volumes(remembering, token) == 200
    remembering.process.stop()
    remembering.process.start()
    remembering.process.wait(lambda: listens(remembering.port) and requests.get(
        f"{remembering.url}/healthcheck", timeout=60).ok, 120)
    with away(tap):
        assert volumes(remembering, token) == 200


def test_a_refused_token_stays_refused(remembering):
    assert [volumes(remembering, "no such token") for _ in range(2)] == [401, 401]


def test_a_cache_that_is_away_is_done_without(keystone, cache, remembering):
    token = keystone.session("max").get_token()
    cache.kill()
    assert [volumes(remembering, token) for _ in range(2)] == [200, 200]
    cache.start()
    cache.wait(lambda: listens(int(cache.address.partition(":")[2])))
    assert volumes(remembering, keystone.session("rita").get_token()) == 200
