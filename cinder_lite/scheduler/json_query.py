"""Evaluates the scheduler hint `query`, a JSON expression in prefix form, for a pool.

["and", [">=", "$free_capacity_gb", 1024], ["=", "$capabilities.vendor_name", "Open Source"]]
"""

import json
import operator
from collections.abc import Mapping

LONGEST = 8192
DEEPEST = 30
MOST_LISTS = 200

#: Comparisons of the first value with each of the others.
COMPARISONS = {"=": operator.eq, "<": operator.lt, ">": operator.gt, "<=": operator.le, ">=": operator.ge}
OPERATORS = (*COMPARISONS, "in", "not", "or", "and")


class QueryError(ValueError):
    """The query cannot be parsed, or compares values without an order; the text names the part."""


def passes(query: str | list, state: Mapping) -> bool:
    """Whether the query (JSON text or parsed) is true for a pool's state. Raises QueryError.

    An empty query is true. A `$name.path` that is not in the state is removed from its list, as is null.
    """
    if isinstance(query, str):
        query = _read(query)
    return bool(_value(query, state, 1))


def _read(text):
    # Python's parser recurses, so nesting is limited before it is called.
    if len(text) > LONGEST or text.count("[") + text.count("{") > MOST_LISTS:
        raise QueryError(f"the query is too long; at most {LONGEST} characters and {MOST_LISTS} lists are read")
    if not text.strip():
        return []
    try:
        return json.loads(text)
    except ValueError as problem:
        raise QueryError(f"the query is not JSON: {problem}") from problem


def _value(query, state, depth):
    """The truth of a list that begins with an operator."""
    if not isinstance(query, list):
        raise QueryError(f"{query!r} stands where a list with an operator is expected")
    if depth > DEEPEST:
        raise QueryError(f"the query is nested more than {DEEPEST} deep")
    if not query:
        return True
    sign, *arguments = query
    if sign not in OPERATORS:
        raise QueryError(f"{sign!r} is not an operator; there are {' '.join(OPERATORS)}")
    values = [_value(item, state, depth + 1) if isinstance(item, list) else _known(item, state) for item in arguments]
    values = [value for value in values if value is not None]
    if sign == "and":
        return all(values)
    if sign == "or":
        return any(values)
    if sign == "not":
        return any(not value for value in values)
    if len(values) < 2:
        return False
    if sign == "in":
        return values[0] in values[1:]
    try:
        return all(COMPARISONS[sign](values[0], other) for other in values[1:])
    except TypeError as problem:
        raise QueryError(f"'{sign}' cannot compare {', '.join(map(repr, values))}") from problem


def _known(item, state):
    if not isinstance(item, str) or not item.startswith("$"):
        return None if item == "" else item
    value = state
    for name in item[1:].split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value
