"""Who asks: the context that goes with a request from HTTP to the last command."""

from oslo_context import context as oslo_context


class Context(oslo_context.RequestContext):
    """A request's user, project, roles and ids. `project_id`, `user_id`, `request_id` as in oslo.context."""

    @property
    def is_service(self):
        """Whether another service speaks for the user. `service_roles` holds none that does not count."""
        return bool(self.service_roles)

    def sees(self, project_id):
        """Whether resources of that project are visible to the asker at all."""
        return self.is_admin or project_id == self.project_id


def system(request_id=None):
    """The context of work that the service does of its own accord."""
    return Context(is_admin=True, user_id="cinder-lite", project_id="cinder-lite", request_id=request_id,
                   overwrite=False)
