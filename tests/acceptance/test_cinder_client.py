"""The functional tests of python-cinderclient, unmodified."""

from tests.acceptance import clients

#: How many there are, each set of values counted.
TESTS = 45
MODULES = ("test_cli", "test_readonly_cli", "test_snapshot_create_cli", "test_volume_create_cli",
           "test_volume_extend_cli")


def test_its_functional_tests(keystone, service):
    env = clients.environment(keystone)
    env.pop("OS_VOLUME_API_VERSION")
    words = ["python", "-m", "unittest", *(f"cinderclient.tests.functional.{name}" for name in MODULES)]
    status, _, output = clients.run(words, env, 1800)
    assert (status, output.rstrip().splitlines()[-1]) == (0, "OK"), output[-20000:]
    assert f"Ran {TESTS} tests" in output
