"""Whether what a pool reports satisfies the extra specs of a volume type."""

import operator

TRUE = ("1", "t", "true", "on", "y", "yes")

NUMERIC = {"=": operator.ge, "==": operator.eq, "!=": operator.ne, ">=": operator.ge, "<=": operator.le}
TEXT = {
    "s==": operator.eq,
    "s!=": operator.ne,
    "s<": operator.lt,
    "s<=": operator.le,
    "s>": operator.gt,
    "s>=": operator.ge,
    "<in>": operator.contains,
}


def unmet(facts, extra_specs):
    """The first extra spec that the facts do not satisfy, as a sentence; None when they satisfy all.

    Keys without a scope and with the scope `capabilities:` count; other scopes speak to others than the scheduler.
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


def match(value, wanted):
    """Whether a reported value satisfies one extra spec; its first word may be an operator.

    `= == != >= <=` compare numbers (`=` is at least), `s== s!= s< s<= s> s>=` texts, `<in>` is part of, `<is>` compares
    truth, `<or> a <or> b` is one of; without operator the texts are the same. None satisfies only None.
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
