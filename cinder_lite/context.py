"""Carries the requester's identity and the ids of a request from the API to the worker."""

from oslo_context import context as oslo_context


class Context(oslo_context.RequestContext):
    """A request's user, project, roles and ids. `project_id`, `user_id`, `request_id` as in oslo.context."""

    #: The moment (clock.time) after which the requester no longer waits for the answer; None without a limit.
    ends: float | None = None

    @property
    def is_service(self) -> bool:
        """Whether another service acts on behalf of the user. `service_roles` holds accepted roles only."""
        return bool(self.service_roles)

    def sees(self, project_id: str | None) -> bool:
        """Whether resources of that project are visible to the requester at all."""
        return bool(self.is_admin or project_id == self.project_id)


def system(request_id: str | None = None) -> Context:
    """The context of work that the service starts itself."""
    return Context(is_admin=True, user_id="cinder-lite", project_id="cinder-lite", request_id=request_id,
                   overwrite=False)
