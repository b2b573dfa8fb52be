"""Startup errors of authentication strategies that are not usable."""

import pytest

from cinder_lite import conf
from cinder_lite.api.auth import strategy

COMPLETE = {"auth_type": "password", "auth_url": "http://127.0.0.1:5000/v3", "username": "cinder", "password": "secret",
            "user_domain_name": "Default", "project_name": "service", "project_domain_name": "Default"}


def loaded(tmp_path, default="", **authtoken):
    file = tmp_path / "cinder.conf"
    lines = [f"{name} = {value}" for name, value in authtoken.items() if value is not None]
    file.write_text("\n".join(["[DEFAULT]", default, "[keystone_authtoken]", *lines, ""]))
    return conf.load([], files=[str(file)])


def test_a_complete_section_can_be_served(tmp_path):
    assert strategy.configuration_error(loaded(tmp_path, "auth_strategy = keystone", **COMPLETE)) is None


@pytest.mark.parametrize(("missing", "named"), [
    ("auth_type", "auth_type"), ("auth_url", "auth_url"), ("username", "username or user_id"),
    ("password", "password"), ("user_domain_name", "user_domain_name"), ("project_name", "project_name"),
    ("project_domain_name", "project_domain_name")])
def test_missing_options_are_reported(tmp_path, missing, named):
    wrong = strategy.configuration_error(loaded(tmp_path, "auth_strategy = keystone", **{**COMPLETE, missing: None}))
    assert "[keystone_authtoken] is incomplete" in wrong
    assert named in wrong
    assert "secret" not in wrong


def test_an_unknown_plugin_is_named(tmp_path):
    assert "carrier-pigeon" in strategy.configuration_error(loaded(tmp_path, "auth_strategy = keystone",
                                                 **{**COMPLETE, "auth_type": "carrier-pigeon"}))


def test_a_section_elsewhere_is_looked_at(tmp_path):
    wrong = strategy.configuration_error(loaded(tmp_path, "auth_strategy = keystone", auth_section="elsewhere"))
    assert "[elsewhere] is incomplete" in wrong


@pytest.mark.parametrize(("address", "anywhere", "fine"), [
    ("127.0.0.1", False, True), ("::1", False, True), ("0.0.0.0", False, False), ("192.0.2.1", False, False),
    ("192.0.2.1", True, True)])
def test_noauth_needs_loopback_unless_allowed(tmp_path, address, anywhere, fine):
    wrong = strategy.configuration_error(loaded(tmp_path,
                                                f"osapi_volume_listen = {address}\nallow_noauth_anywhere = {anywhere}"))
    assert (wrong is None) is fine
    assert fine or "allow_noauth_anywhere" in wrong
