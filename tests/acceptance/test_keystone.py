"""Preconditions of this tier: Keystone issues tokens to its users and returns the catalog."""

from tests.acceptance.identity import PEOPLE


def test_everybody_gets_a_token_with_their_roles(keystone):
    for user, places in PEOPLE.items():
        (project, roles), = places.items()
        access = keystone.session(user).auth.get_access(keystone.session(user))
        assert (access.project_name, access.project_id) == (project, keystone.projects[project])
        assert set(roles) <= set(access.role_names)


def test_a_registered_service_stands_in_the_catalogue_with_the_project_filled_in(keystone):
    keystone.register("http://127.0.0.1:1/v1/%(project_id)s", "example")
    found = keystone.session("ann").get_endpoint(service_type="example")
    assert found == f"http://127.0.0.1:1/v1/{keystone.projects['blue']}"
