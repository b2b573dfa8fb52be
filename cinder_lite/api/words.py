"""Words of query strings and paths: booleans, whole numbers, names."""

from cinder_lite import errors

#: Characters of a name that every column has room for.
LONGEST = 255
TRUE = frozenset(("1", "t", "true", "on", "y", "yes"))
FALSE = frozenset(("0", "f", "false", "off", "n", "no"))


def is_true(text):
    """Whether the text is a word for true, in any case."""
    return text is not None and text.strip().lower() in TRUE


def boolean(name, text):
    """The boolean that the text says, in any case. Raises InvalidInput for a word that is none."""
    word = text.lower()
    if word in TRUE or word in FALSE:
        return word in TRUE
    raise errors.InvalidInput(reason=f"{name} must be a boolean word such as true or false, not '{text[:50]}'.")


def natural(name, text, most=None):
    """The number of 0 or more, up to `most` if there is an upper bound. Raises InvalidInput."""
    try:
        number = int(text)
    except ValueError:
        number = -1
    if number < 0 or (most is not None and number > most):
        raise errors.InvalidInput(reason=f"{name} must be an integer of 0 or more{f', up to {most}' if most else ''}, "
                                         f"not '{text[:50]}'.")
    return number


def short(what, text):
    """Refuse a name from a path or a token that no column has room for."""
    if len(text or "") > LONGEST:
        raise errors.BadRequest(f"{what} has {len(text)} characters, more than {LONGEST}.")
