"""Matches the capabilities that a pool reports against the extra specs of a volume type."""

import operator
import typing
from collections.abc import Callable, Mapping

TRUE = ("1", "t", "true", "on", "y", "yes")

Comparison = Callable[[typing.Any, typing.Any], bool]
NUMERIC: dict[str, Comparison] = {
    "=": operator.ge, "==": operator.eq, "!=": operator.ne, ">=": operator.ge, "<=": operator.le}
TEXT: dict[str, Comparison] = {
    "s==": operator.eq, "s!=": operator.ne, "s<": operator.lt, "s<=": operator.le, "s>": operator.gt,
    "s>=": operator.ge, "<in>": operator.contains}


def unmet(facts: Mapping, extra_specs: Mapping[str, str]) -> str | None:
    """The first extra spec that the facts do not satisfy, as a sentence; None if they satisfy all.

    Keys without a scope or with the scope `capabilities:` are matched; other scopes are not for the scheduler.
    """
    for key, wanted in extra_specs.items():
        scope = key.split(":")
        if scope[0] == "capabilities" and len(scope) > 1:
            scope = scope[1:]
        elif len(scope) > 1:
            continue
        value = _look_up(facts, scope)
        if value is None and wanted is not None:
            return f"extra spec {key} asks for '{wanted}', the pool does not report {':'.join(scope)}"
        if not any(match(item, wanted) for item in (value if isinstance(value, list | tuple) else [value])):
            return f"extra spec {key} asks for '{wanted}', the pool has {_shown(value)}"
    return None


def match(value: typing.Any, wanted: str | None) -> bool:
    """Whether a reported value satisfies one extra spec, whose first word may be an operator.

    `= == != >= <=` compare numbers (`=` is at least), `s== s!= s< s<= s> s>=` strings, `<in>` tests for a substring,
    `<is>` compares booleans, `<or> a <or> b` lists alternatives; without an operator the strings must be equal. None
    satisfies only None.
    """
    if value is None or wanted is None:
        return value is wanted
    wanted = str(wanted)
    word, rest = (*wanted.split(None, 1), "", "")[:2]
    rest = rest.strip()
    if word == "<or>":
        return str(value) in (choice.strip() for choice in rest.split("<or>"))
    if word != "<is>" and word not in NUMERIC and word not in TEXT:
        return str(value) == wanted
    if not rest:
        return False
    if word == "<is>":
        return (str(value).strip().lower() in TRUE) is (rest.lower() in TRUE)
    if word in TEXT:
        return TEXT[word](str(value), rest)
    try:
        return NUMERIC[word](float(value), float(rest))
    except (TypeError, ValueError):
        return False


def _look_up(facts, path):
    for name in path:
        facts = facts.get(name) if isinstance(facts, dict) else None
    return facts


def _shown(value):
    return f"'{value}'" if isinstance(value, str) else str(value)
