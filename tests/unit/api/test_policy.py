"""Policies: defaults, the policy file, and the output of the oslo.policy tools."""

import subprocess

import pytest

from cinder_lite import conf, context
from cinder_lite.api.enforcer import Policy
from cinder_lite.api.policy import ADMIN, MEMBER, READER, RULES


@pytest.fixture
def policy(tmp_path):
    """Policies by a file that does not exist yet; `policy.file` is where it would be."""
    file = tmp_path / "cinder.conf"
    file.write_text("[DEFAULT]\n")
    made = Policy(conf.load([], files=[str(file)]))
    made.file = tmp_path / "policy.yaml"
    return made


def somebody(*roles, project="blue", **more):
    return context.Context(user_id="ann", project_id=project, roles=list(roles), overwrite=False, **more)


@pytest.mark.parametrize(("rule", "roles", "project", "allowed"), [
    ("volume:get", ["reader"], "blue", True), ("volume:get", ["reader"], "green", False),
    ("volume:get", ["member"], "blue", False), ("volume:create", ["member"], "blue", True),
    ("volume:create", ["reader"], "blue", False), ("volume:create", ["admin"], "green", True),
    ("volume:force_delete", ["member"], "blue", False), ("volume:force_delete", ["admin"], "green", True),
    ("volume:get", ["service"], "blue", False), ("volume:get", [], "blue", False)])
def test_defaults(policy, rule, roles, project, allowed):
    assert policy.allows(somebody(*roles), rule, project) is allowed


def test_the_operators_file_counts_when_it_is_read_again(policy):
    member = somebody("member", "reader")
    assert policy.allows(member, "volume:create", "blue")
    policy.file.write_text('"volume:create": "role:builder"\n"volume:get": "@"\n"no:such:rule": "!"\n')
    policy.reload()
    assert not policy.allows(member, "volume:create", "blue")
    assert policy.allows(somebody("builder"), "volume:create", "blue")
    assert policy.allows(somebody(), "volume:get", "green")


def test_the_policy_file_defines_administrators(policy):
    assert not policy.is_administrator(somebody("cloud_admin"))
    policy.file.write_text('"context_is_admin": "role:cloud_admin"\n')
    policy.reload()
    assert policy.is_administrator(somebody("cloud_admin"))
    assert not policy.is_administrator(somebody("admin"))
    assert policy.allows(somebody("cloud_admin"), "volume:force_delete", "green")


def test_a_rule_can_ask_for_a_service_or_a_scope(policy):
    policy.file.write_text('"volume:extend": "service_roles:service"\n"volume:retype": "system_scope:all"\n')
    policy.reload()
    assert policy.allows(somebody("member", service_roles=["service"]), "volume:extend", "blue")
    assert not policy.allows(somebody("member"), "volume:extend", "blue")
    assert policy.allows(somebody("reader", system_scope="all"), "volume:retype", "blue")
    assert not policy.allows(somebody("reader"), "volume:retype", "blue")


def test_a_rule_that_does_not_exist_is_nobodys(policy):
    with pytest.raises(KeyError):
        policy.allows(somebody("admin"), "volume:fly", "blue")


def test_every_default_is_a_kind_of_persona():
    others = {name for name, (check, _) in RULES.items() if check not in (READER, MEMBER, ADMIN)}
    assert others == {"context_is_admin"}


def test_the_sample_of_a_policy_file_has_every_rule():
    printed = subprocess.run(["oslopolicy-sample-generator", "--namespace", "cinder_lite"], capture_output=True,
                             text=True, check=True, timeout=120).stdout
    assert [name for name in RULES if f'"{name}": ' not in printed] == []
