"""Evaluates the policy rules and the operator's policy file with oslo.policy."""

from typing import Any

from oslo_config import cfg
from oslo_policy import _checks, policy

from cinder_lite import context, errors
from cinder_lite.api.policy import list_rules, rules
from cinder_lite.conf import plugins

CHECKS = "oslo.policy.rule_checks"


class _InstalledChecks(dict[str, Any]):
    """Loads checks that other packages install when a rule uses them.

    oslo.policy itself loads all with the first rule that it parses, also its own of `http:` rules, which imports
    requests: 5 MB and a fifth of the time to start.
    """

    def __getitem__(self, kind: str) -> Any:
        return plugins.load(CHECKS, kind)


class Policy:
    """Evaluates the rules and the operator's policy file. Decisions are cached until the file is read again."""

    MAX_CACHED = 20000

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        if _checks.extension_checks is None:
            _checks.extension_checks = _InstalledChecks(dict.fromkeys(plugins.names(CHECKS)))
        self._enforcer = policy.Enforcer(conf)
        self._enforcer.register_defaults(list_rules())
        self._cache: dict[tuple[Any, ...], bool] = {}
        self._load()

    def _load(self, again: bool = False) -> None:
        try:
            self._enforcer.load_rules(force_reload=again)
        except (ValueError, TypeError, AttributeError, OSError) as error:
            # oslo.policy does not check the types of the file's values.
            raise errors.Misconfigured(f"the policy file is invalid: {error}") from error

    def reload(self) -> None:
        """Read the policy file again. Raises Misconfigured when it cannot be used; the former rules stay in force."""
        self._load(again=True)
        self._cache.clear()

    def allows(self, ctx: context.Context, rule: str, project_id: str | None) -> bool:
        """Whether the rule allows the requester its operation on a resource of that project."""
        key = (rule, project_id, ctx.project_id, ctx.user_id, tuple(ctx.roles or ()), ctx.system_scope,
               tuple(ctx.service_roles or ()))
        allowed = self._cache.get(key)
        if allowed is None:
            if len(self._cache) > self.MAX_CACHED:
                self._cache.clear()
            allowed = self._cache[key] = self._evaluate(ctx, rule, project_id)
        return allowed

    def is_administrator(self, ctx: context.Context) -> bool:
        """Whether the rules make the requester an administrator."""
        return self.allows(ctx, "context_is_admin", ctx.project_id)

    def _evaluate(self, ctx: context.Context, rule: str, project_id: str | None) -> bool:
        if rule not in rules():
            raise KeyError(f"no policy rule {rule}")
        credentials = {"user_id": ctx.user_id, "project_id": ctx.project_id, "roles": list(ctx.roles or ()),
                       "system_scope": ctx.system_scope, "service_roles": list(ctx.service_roles or ())}
        return bool(self._enforcer.enforce(rule, {"project_id": project_id, "user_id": ctx.user_id}, credentials))
