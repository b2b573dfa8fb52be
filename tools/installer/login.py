"""What a user logs in with: variables for a shell and a cloud in clouds.yaml, which the usual clients take unchanged.

`openstack` and openstacksdk take the cloud: variables such as OS_PROJECT_ID they would hand on to ways to log in that know no
projects. `cinder` and `cinder-lite` take the variables: of OS_AUTH_TYPE's ways to log in those that bring an endpoint collide
with options that `cinder` declares itself, of OS_AUTH_SYSTEM's they do not.
"""

import json

CLOUD = "cinder-lite"
#: What another login may have left behind in the shell.
OTHERS = ("OS_AUTH_PLUGIN OS_AUTH_TYPE OS_AUTH_URL OS_ENDPOINT OS_PASSWORD OS_PROJECT_ID OS_PROJECT_NAME OS_TOKEN OS_USERNAME "
          "OS_USER_ID")


def http_basic(endpoint, project, clouds, name, password):
    """(text of the variables' file, text of clouds.yaml, which is to lie at `clouds`) for a name and a password."""
    return _files("http_basic", endpoint, project, clouds, {"username": name, "password": password})


def noauth(endpoint, project, clouds, name):
    """The same for a service that believes everybody."""
    return _files("admin_token", endpoint, project, clouds, {"token": f"{name}:{project}"})


def _files(kind, endpoint, project, clouds, secrets):
    variables = "".join(f"export OS_{option.upper()}={value}\n" for option, value in secrets.items())
    # In JSON's notation a text is one in YAML whatever stands in it.
    cloud = "".join(f"      {option}: {json.dumps(value)}\n" for option, value in {"endpoint": endpoint, **secrets}.items())
    return (f"# For cinder, cinder-lite, openstack and openstacksdk: read it into a shell by '. FILE'.\n"
            f"unset {OTHERS}\n"
            f"export OS_CLOUD={CLOUD} OS_CLIENT_CONFIG_FILE={clouds}\n"
            f"export OS_AUTH_SYSTEM={kind} CINDER_ENDPOINT={endpoint} CINDER_PROJECT_ID={project}\n"
            f"{variables}",
            f"# For openstack and openstacksdk: --os-cloud {CLOUD}, or OS_CLOUD={CLOUD}.\n"
            f"clouds:\n  {CLOUD}:\n    auth_type: {kind}\n    auth:\n{cloud}")
