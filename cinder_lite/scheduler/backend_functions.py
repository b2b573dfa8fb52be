"""The filter and the weigher that evaluate a backend's options filter_function and goodness_function."""

import random

from cinder_lite.jobs.pool_capacity import Pool, Request
from cinder_lite.jobs.pool_facts import variables
from cinder_lite.scheduler import expressions
from cinder_lite.scheduler.weighers import Measured


def is_admitted(pool: Pool, request: Request) -> str | None:
    """The backend's filter_function is true."""
    text = pool.capabilities.get("filter_function")
    if text is None or not str(text).strip():
        return None
    try:
        value = expressions.evaluate(str(text), variables(pool, request))
    except expressions.ExpressionError as problem:
        return f"its filter_function '{text}' has no value: {problem}"
    return None if value else f"its filter_function '{text}' is not true"


def goodness(pool: Pool, request: Request, rng: random.Random) -> Measured:
    """The backend's goodness_function, 0 (poor) to 100 (perfect); true is 100, anything else is 0."""
    text = pool.capabilities.get("goodness_function")
    if text is None or not str(text).strip():
        return 0, "it has no goodness_function"
    try:
        value = expressions.evaluate(str(text), variables(pool, request))
    except expressions.ExpressionError as problem:
        return 0, f"goodness_function '{text}' has no value: {problem}"
    if isinstance(value, bool):
        return (100, "") if value else (0, "")
    if isinstance(value, str) or not 0 <= value <= 100:
        return 0, f"goodness_function '{text}' gave {value!r}, not a number from 0 to 100"
    return value, ""
