"""Requests to Glance with tokens of Keystone."""

from tests.images.images_service import Glance

AUTHTOKEN = """
[filter:authtoken]
paste.filter_factory = keystonemiddleware.auth_token:filter_factory
auth_type = password
auth_url = {url}
www_authenticate_uri = {url}
username = glance
password = {password}
user_domain_id = default
project_name = service
project_domain_id = default
service_token_roles = service
service_token_roles_required = true
delay_auth_decision = false
"""


class KeystoneGlance(Glance):
    """Believes the tokens of a Keystone only."""

    def __init__(self, keystone):
        super().__init__()
        self.keystone = keystone
        path = f"{self.directory.path}/paste.ini"
        with open(path) as file:
            text = file.read().replace("who rootapp", "authtoken who rootapp")
        with open(path, "w") as file:
            file.write(text + AUTHTOKEN.format(url=keystone.url, password=keystone.password))

    def request(self, method, path, project=None, headers=None, **more):
        """As the admin of Keystone, or as whom the headers' token names."""
        return self.keystone.session("admin", project).request(
            self.url + path, method, headers=headers, raise_exc=False, **more)
