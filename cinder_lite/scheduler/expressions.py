"""Evaluates the expressions of a backend's filter_function and goodness_function.

Numbers, quoted text, variables (`stats.x`, `capabilities.x`, `volume.x`, `extra.x`, `qos.x`), `abs max min`, and the
operators below, which bind as they do in Cinder, so that an existing function keeps its meaning: from the tightest

    ^ (right to left)   + - (sign)   * /   + -   not !   < <= > >= == != <> (chained)   ? :   and &&   or ||

So `not a == b` is `(not a) == b`, and `a and b ? c : d` is `a and (b ? c : d)`: use parentheses. Python's own grammar
cannot express that binding, which rules out `ast`. lark's LALR parser does not recurse, whereas pyparsing raises
RecursionError at 23 nested brackets that have an operator of each level between them, and takes 10 MB of memory to 2.
"""

from __future__ import annotations

import dataclasses
import functools
import math
import operator
import re
import typing
from collections.abc import Callable, Mapping, Sequence

if typing.TYPE_CHECKING:
    import lark

#: At most so many characters, and so many brackets, calls and conditions within each other.
LONGEST = 4096
DEEPEST = 40

GRAMMAR = r"""
    ?disjunction: conjunction (_or conjunction)*
    ?conjunction: condition (_and condition)*
    ?condition: comparison | comparison "?" disjunction ":" condition -> choice
    ?comparison: negation (COMPARISON negation)*
    ?negation: sum | (NOT | BANG)+ sum
    ?sum: product ((PLUS | MINUS) product)* -> arithmetic
    ?product: sign ((TIMES | DIVIDED) sign)* -> arithmetic
    ?sign: power | (PLUS | MINUS)+ power -> signed
    ?power: atom (POWER exponent)*
    ?exponent: atom | MINUS atom -> signed
    ?atom: "(" disjunction ")" -> brackets
         | (ABS | MAX | MIN) "(" disjunction ("," disjunction)* ")" -> function
         | NUMBER -> number
         | TEXT -> text
         | NAME -> variable

    _or: "or" | "OR" | "||"
    _and: "and" | "AND" | "&&"
    NOT.1: /(?:not|NOT)(?![\w.])/
    BANG: "!"
    COMPARISON: "<=" | ">=" | "==" | "!=" | "<>" | "<" | ">"
    PLUS: "+"
    MINUS: "-"
    TIMES: "*"
    DIVIDED: "/"
    POWER: "^"
    ABS: "abs"
    MAX: "max"
    MIN: "min"
    NUMBER: /\d+(?:\.\d*)?(?:[eE][+-]?\d+)?|\.\d+/
    TEXT: /"[^"]*"|'[^']*'/
    NAME: /[A-Za-z_]\w*(?:\.\w+)*/
    %ignore /\s+/
"""
#: A terminal that is acceptable where the parser stops -> what is missing there.
EXPECTED = {"NUMBER": "a value", "RPAR": "')'", "COLON": "':'", "LPAR": "'('"}

NUMBER = re.compile(r"\s*[-+]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?\s*")
COMPARISONS: dict[str, Callable[[typing.Any, typing.Any], bool]] = {
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge, "==": operator.eq, "!=": operator.ne,
    "<>": operator.ne}
ARITHMETIC: dict[str, Callable[[float, float], float]] = {
    "+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv}
FUNCTIONS: dict[str, Callable[[typing.Iterable[float]], float]] = {"max": max, "min": min}

Value = float | str | bool
Variables = Mapping[str, Mapping[str, object]]


class ExpressionError(ValueError):
    """The expression cannot be parsed, or has no value for these variables; the text names the place and the reason."""


def _error(at: int, text: str) -> ExpressionError:
    return ExpressionError(f"at character {at}: {text}")


def evaluate(text: str, variables: Variables) -> Value:
    """The value of the expression. Raises ExpressionError.

    `variables` maps the words before the dot to mappings: {"stats": {...}, "volume": {...}, ...}.
    """
    return _compiled(text).value(variables)


def check(text: str) -> None:
    """Raise ExpressionError when the expression cannot be parsed; its variables are not looked up."""
    _compiled(text)


@functools.lru_cache(maxsize=256)
def _compiled(text: str) -> _Part:
    import lark  # 0.1 s and 2 MB that a scheduler without such functions spares

    if len(text) > LONGEST:
        raise ExpressionError(f"the expression has {len(text)} characters; at most {LONGEST} are read")
    parser = _parser()
    try:
        # A character that no token has is the first mistake to report, wherever it stands.
        for _ in parser.lex(text):
            pass
        return typing.cast(_Part, parser.parse(text))
    except lark.UnexpectedCharacters as error:
        what = "a quoted text that does not end" if error.char in "\"'" else f"'{error.char}', which means nothing here"
        raise _error((error.pos_in_stream or 0) + 1, what) from None
    except lark.UnexpectedToken as error:
        token = error.token
        missing = [EXPECTED[terminal] for terminal in EXPECTED if terminal in error.accepts]
        expected = missing[0] if missing else "an operator or the end"
        if token.type == "$END":
            raise _error(len(text) + 1, f"expected {expected}, found the end") from None
        found = token if token.type == "TEXT" else f"'{token}'"
        raise _error(_place(token), f"expected {expected}, found {found}") from None


@functools.cache
def _parser() -> lark.Lark:
    import lark

    return lark.Lark(GRAMMAR, start="disjunction", parser="lalr", lexer="basic", transformer=_Builder())


def _place(token: lark.Token) -> int:
    """The token's first character, counted from 1."""
    return (token.start_pos or 0) + 1


@dataclasses.dataclass(frozen=True, slots=True)
class _Part:
    """A part of an expression: the function from variables to its value, and how deep it is nested."""

    value: Callable[[Variables], Value]
    depth: int = 1


def _joined(value: Callable[[Variables], Value], parts: Sequence[_Part], deeper: int = 0) -> _Part:
    """A part made of others, nested one deeper where it is a bracket or the like."""
    depth = max(part.depth for part in parts) + deeper
    if depth > DEEPEST:
        raise ExpressionError(f"the expression is nested more than {DEEPEST} deep")
    return _Part(value, depth)


class _Builder:
    """Makes a part from what the parser has found: a method for each rule, called with its parts and signs in order."""

    def number(self, children: list[lark.Token]) -> _Part:
        number = float(children[0])
        return _Part(lambda env: number)

    def text(self, children: list[lark.Token]) -> _Part:
        text = children[0][1:-1]
        return _Part(lambda env: text)

    def variable(self, children: list[lark.Token]) -> _Part:
        return _Part(_variable(str(children[0]), _place(children[0])))

    def brackets(self, children: list[_Part]) -> _Part:
        return _joined(children[0].value, children, 1)

    def function(self, children: list[typing.Any]) -> _Part:
        token, *parts = children
        name, at = str(token), _place(token)
        if name != "abs":
            function = FUNCTIONS[name]
            return _joined(lambda env: function(_number(part.value(env), name, at) for part in parts), parts, 1)
        if len(parts) != 1:
            raise _error(at, f"abs takes one value, not {len(parts)}")
        return _joined(lambda env: abs(_number(parts[0].value(env), name, at)), parts, 1)

    def power(self, children: list[typing.Any]) -> _Part:
        return _joined(_power(children[::2], _signs(children[1::2])), children[::2])

    def signed(self, children: list[typing.Any]) -> _Part:
        *tokens, part = children
        sign, at = ("-" if tokens.count("-") % 2 else "+"), _place(tokens[-1])
        factor = -1 if sign == "-" else 1
        return _joined(lambda env: _number(part.value(env), sign, at) * factor, [part])

    def arithmetic(self, children: list[typing.Any]) -> _Part:
        return _joined(_arithmetic(children[::2], _signs(children[1::2])), children[::2])

    def negation(self, children: list[typing.Any]) -> _Part:
        *tokens, part = children
        truth = len(tokens) % 2 == 0
        return _joined(lambda env: bool(part.value(env)) is truth, [part])

    def comparison(self, children: list[typing.Any]) -> _Part:
        return _joined(_comparison(children[::2], _signs(children[1::2])), children[::2])

    def choice(self, children: list[_Part]) -> _Part:
        condition, yes, no = children
        # Conditions in a row are nested on their right side.
        nested = [condition, *(dataclasses.replace(part, depth=part.depth + 1) for part in (yes, no))]
        return _joined(lambda env: yes.value(env) if condition.value(env) else no.value(env), nested)

    def conjunction(self, children: list[typing.Any]) -> _Part:
        return _joined(_first(children, False), children)

    def disjunction(self, children: list[typing.Any]) -> _Part:
        return _joined(_first(children, True), children)


def _signs(tokens: list[lark.Token]) -> list[tuple[str, int]]:
    """(sign, position) of each token."""
    return [(str(token), _place(token)) for token in tokens]


def _variable(name: str, at: int) -> Callable[[Variables], Value]:
    """A variable's value; text that reads as a number is one, because extra specs and QoS specs hold only texts."""
    head, *path = name.split(".")

    def value(env: Variables) -> Value:
        if head not in env or not path:
            known = ", ".join(f"{word}.…" for word in sorted(env))
            raise _error(at, f"{name} is not a variable; there are {known}, and abs, max, min")
        found: typing.Any = env[head]
        walked = head
        for step in path:
            if not hasattr(found, "keys") or step not in found:
                known = ", ".join(sorted(map(str, found))) if hasattr(found, "keys") else ""
                raise _error(at, f"{walked} has no '{step}'; it has {known or 'nothing'}")
            found, walked = found[step], f"{walked}.{step}"
        if not isinstance(found, str | int | float):
            raise _error(at, f"{name} is {found!r}, neither a number nor a text")
        number = _as_number(found)
        return found if number is None or isinstance(found, bool) else number

    return value


def _first(parts: list[_Part], truth: bool) -> Callable[[Variables], Value]:
    """The value of the first part that is true (of `or`) or false (of `and`), else of the last."""

    def value(env: Variables) -> Value:
        for part in parts:
            found = part.value(env)
            if bool(found) is truth:
                break
        return found

    return value


def _comparison(parts: list[_Part], signs: list[tuple[str, int]]) -> Callable[[Variables], Value]:
    def value(env: Variables) -> Value:
        left = parts[0].value(env)
        for (sign, at), part in zip(signs, parts[1:], strict=True):
            right = part.value(env)
            if not _compare(left, right, sign, at):
                return False
            left = right
        return True

    return value


def _compare(left: Value, right: Value, sign: str, at: int) -> bool:
    if not (isinstance(left, str) and isinstance(right, str)):
        one, other = _as_number(left), _as_number(right)
        if one is not None and other is not None:
            return COMPARISONS[sign](one, other)
        if sign not in ("==", "!=", "<>"):
            raise _error(at, f"{left!r} and {right!r} have no order ('{sign}')")
    return COMPARISONS[sign](left, right)


def _arithmetic(parts: list[_Part], signs: list[tuple[str, int]]) -> Callable[[Variables], Value]:
    def value(env: Variables) -> Value:
        total = parts[0].value(env)
        for (sign, at), part in zip(signs, parts[1:], strict=True):
            left, right = _number(total, sign, at), _number(part.value(env), sign, at)
            if sign == "/" and right == 0:
                raise _error(at, "division by zero")
            total = ARITHMETIC[sign](left, right)
        return total

    return value


def _power(parts: list[_Part], signs: list[tuple[str, int]]) -> Callable[[Variables], Value]:
    def value(env: Variables) -> Value:
        result = _number(parts[-1].value(env), "^", signs[-1][1])
        for part, (_, at) in zip(reversed(parts[:-1]), reversed(signs), strict=True):
            base = _number(part.value(env), "^", at)
            try:
                result = math.pow(base, result)
            except (OverflowError, ValueError) as problem:
                raise _error(at, f"{base:g} ^ {result:g} is not a number") from problem
        return result

    return value


def _as_number(value: Value) -> float | None:
    """The value as a float, or None. Capacities are reported as "infinite" where there is no end to them."""
    if isinstance(value, str):
        if value == "infinite":
            return math.inf
        return float(value) if NUMBER.fullmatch(value) else None
    try:
        return float(value)
    except OverflowError:
        return math.inf


def _number(value: Value, sign: str, at: int) -> float:
    number = _as_number(value)
    if number is None:
        raise _error(at, f"'{sign}' needs numbers, not the text '{value}'")
    return number
