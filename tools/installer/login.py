"""Credentials for clients: variables for a shell and a cloud in clouds.yaml.

`openstack` and openstacksdk use the cloud: they would pass variables such as OS_PROJECT_ID to auth plugins without
projects. `cinder` and `cinder-lite` use the variables: auth plugins of OS_AUTH_TYPE with an endpoint conflict with
options that `cinder` declares itself, those of OS_AUTH_SYSTEM do not.
"""

import json

CLOUD = "cinder-lite"
#: Variables of other credentials that may be set in the shell.
OTHERS = ("OS_AUTH_PLUGIN OS_AUTH_TYPE OS_AUTH_URL OS_ENDPOINT OS_PASSWORD OS_PROJECT_ID OS_PROJECT_NAME OS_TOKEN "
          "OS_USERNAME "
          "OS_USER_ID")


def http_basic(endpoint, project, clouds, name, password):
    """Return the texts of the variables file and of clouds.yaml (path `clouds`) for a name and a password."""
    return _files("http_basic", endpoint, project, clouds, {"username": name, "password": password})


def noauth(endpoint, project, clouds, name):
    """Return the same for a service without authentication."""
    return _files("admin_token", endpoint, project, clouds, {"token": f"{name}:{project}"})


def _files(kind, endpoint, project, clouds, secrets):
    variables = "".join(f"export OS_{option.upper()}={value}\n" for option, value in secrets.items())
    # A JSON string is a valid YAML string, whatever its contents.
    cloud = "".join(f"      {option}: {json.dumps(value)}\n" for option,
                    value in {"endpoint": endpoint, **secrets}.items())
    return (f"# For cinder, cinder-lite, openstack and openstacksdk: load it with '. FILE'.\n"
            f"unset {OTHERS}\n"
            f"export OS_CLOUD={CLOUD} OS_CLIENT_CONFIG_FILE={clouds}\n"
            f"export OS_AUTH_SYSTEM={kind} CINDER_ENDPOINT={endpoint} CINDER_PROJECT_ID={project}\n"
            f"{variables}",
            f"# For openstack and openstacksdk: --os-cloud {CLOUD}, or OS_CLOUD={CLOUD}.\n"
            f"clouds:\n  {CLOUD}:\n    auth_type: {kind}\n    auth:\n{cloud}")
