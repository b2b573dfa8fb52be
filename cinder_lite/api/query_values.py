"""Parses values of query strings: booleans and whole numbers."""

from cinder_lite import errors

TRUE = frozenset(("1", "t", "true", "on", "y", "yes"))
FALSE = frozenset(("0", "f", "false", "off", "n", "no"))


def is_true(text: str | None) -> bool:
    """Whether the text is a spelling of true, in any case."""
    return text is not None and text.strip().lower() in TRUE


def boolean(name: str, text: str) -> bool:
    """The boolean that the text spells, in any case. Raises InvalidInput for any other text."""
    value = text.lower()
    if value in TRUE or value in FALSE:
        return value in TRUE
    raise errors.InvalidInput(reason=f"{name} must be a boolean word such as true or false, not '{text[:50]}'.")


def natural(name: str, text: str, maximum: int | None = None) -> int:
    """The number of 0 or more, at most `maximum` if that is given. Raises InvalidInput."""
    try:
        number = int(text)
    except ValueError:
        number = -1
    if number < 0 or (maximum is not None and number > maximum):
        raise errors.InvalidInput(reason=f"{name} must be an integer of 0 or more"
                                         f"{f', up to {maximum}' if maximum else ''}, not '{text[:50]}'.")
    return number
