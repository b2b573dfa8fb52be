"""The language of a backend's filter_function and goodness_function: text in, number, text or truth out.

Numbers, quoted text, variables (`stats.x`, `capabilities.x`, `volume.x`, `extra.x`, `qos.x`), `abs max min`, and the
operators below, which bind as they do in Cinder, so that an existing function keeps its meaning: from the tightest

    ^ (right to left)   + - (sign)   * /   + -   not !   < <= > >= == != <> (chained)   ? :   and &&   or ||

So `not a == b` is `(not a) == b`, and `a and b ? c : d` is `a and (b ? c : d)`: use parentheses.
"""

import functools
import math
import operator
import re

LONGEST = 4096
DEEPEST = 40

TOKEN = re.compile(
    r"""(?P<number>\d+(?:\.\d*)?(?:[eE][+-]?\d+)?|\.\d+)
      | (?P<text>"[^"]*"|'[^']*')
      | (?P<name>[A-Za-z_]\w*(?:\.\w+)*)
      | (?P<sign><=|>=|==|!=|<>|&&|\|\||[-+*/^<>!?:(),])""",
    re.VERBOSE,
)
NUMBER = re.compile(r"\s*[-+]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?\s*")
WORDS = {"and": "and", "AND": "and", "&&": "and", "or": "or", "OR": "or", "||": "or"}
WORDS |= {"not": "not", "NOT": "not", "!": "not"}
COMPARISONS = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
    "<>": operator.ne,
}
ARITHMETIC = {"+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv}
FUNCTIONS = {"abs": abs, "max": max, "min": min}


class ExpressionError(ValueError):
    """The expression cannot be read, or has no value for these variables; the text says where and why."""


def _error(at, text):
    return ExpressionError(f"at character {at}: {text}")


def evaluate(text, variables):
    """The value of the expression: a float, a text or a bool. Raises ExpressionError.

    `variables` maps the words before the dot to mappings: {"stats": {...}, "volume": {...}, ...}.
    """
    return _compiled(text)(variables)


def check(text):
    """Raise ExpressionError when the expression cannot be read; says nothing about its variables."""
    _compiled(text)


@functools.lru_cache(maxsize=256)
def _compiled(text):
    """The expression as a function of the variables."""
    if len(text) > LONGEST:
        raise ExpressionError(f"the expression has {len(text)} characters; at most {LONGEST} are read")
    return _Parser(_tokens(text)).whole()


def _tokens(text):
    """The list of (kind, value, position from 1), with an end mark."""
    tokens, at = [], 0
    while at < len(text):
        if text[at].isspace():
            at += 1
            continue
        found = TOKEN.match(text, at)
        if not found:
            what = "a quoted text that does not end" if text[at] in "\"'" else f"'{text[at]}', which means nothing here"
            raise _error(at + 1, what)
        tokens.append((found.lastgroup, WORDS.get(found.group(), found.group()), at + 1))
        at = found.end()
    return [*tokens, ("end", "the end", len(text) + 1)]


class _Parser:
    """Recursive descent: a method for each level of binding, each returning a function of the variables."""

    def __init__(self, tokens):
        self.tokens, self.next, self.depth = tokens, 0, 0

    def whole(self):
        value = self.either()
        if self.tokens[self.next][0] != "end":
            self.fail("an operator or the end")
        return value

    def fail(self, expected):
        kind, found, at = self.tokens[self.next]
        found = found if kind in ("end", "text") else f"'{found}'"
        raise _error(at, f"expected {expected}, found {found}")

    def take(self, *wanted):
        """The next operator or bracket when it is one of the wanted, with its position; else None."""
        kind, value, at = self.tokens[self.next]
        if kind == "text" or value not in wanted:
            return None
        self.next += 1
        return value, at

    def need(self, wanted):
        if not self.take(wanted):
            self.fail(f"'{wanted}'")

    def either(self):
        return self.chain(self.both, "or", _or)

    def both(self):
        return self.chain(self.choice, "and", _and)

    def chain(self, operand, word, combine):
        operands = [operand()]
        while self.take(word):
            operands.append(operand())
        return combine(tuple(operands)) if len(operands) > 1 else operands[0]

    def choice(self):
        self.depth += 1
        if self.depth > DEEPEST:
            raise ExpressionError(f"the expression is nested more than {DEEPEST} deep")
        value = self.comparison()
        if self.take("?"):
            yes = self.either()
            self.need(":")
            value = _choice(value, yes, self.choice())
        self.depth -= 1
        return value

    def comparison(self):
        first, rest = self.negation(), []
        while found := self.take(*COMPARISONS):
            rest.append((found, self.negation()))
        return _comparison(first, tuple(rest)) if rest else first

    def negation(self):
        times = 0
        while self.take("not"):
            times += 1
        value = self.sum()
        # Two are not none: they turn a number into a truth. More say nothing new.
        for _ in range(times if times < 2 else 2 - times % 2):
            value = _not(value)
        return value

    def sum(self):
        return self.arithmetic(self.product, "+", "-")

    def product(self):
        return self.arithmetic(self.signed, "*", "/")

    def arithmetic(self, operand, *operators):
        first, rest = operand(), []
        while found := self.take(*operators):
            rest.append((found, operand()))
        return _arithmetic(first, tuple(rest)) if rest else first

    def signed(self):
        negative, at = False, None
        while found := self.take("+", "-"):
            at = found[1]
            negative ^= found[0] == "-"
        value = self.power()
        return value if at is None else _signed(value, negative, at)

    def power(self):
        operands, places = [self.atom()], []
        while found := self.take("^"):
            places.append(found[1])
            minus = self.take("-")
            value = self.atom()
            operands.append(_signed(value, True, minus[1]) if minus else value)
        return _power(tuple(operands), tuple(places)) if places else operands[0]

    def atom(self):
        kind, value, at = self.tokens[self.next]
        if self.take("("):
            inner = self.either()
            self.need(")")
            return inner
        if kind not in ("number", "text", "name") or value in WORDS:
            self.fail("a value")
        self.next += 1
        if kind == "number":
            return _constant(float(value))
        if kind == "text":
            return _constant(value[1:-1])
        return self.function(value, at) if value in FUNCTIONS else _variable(value, at)

    def function(self, name, at):
        self.need("(")
        arguments = [self.either()]
        while self.take(","):
            arguments.append(self.either())
        self.need(")")
        if name == "abs" and len(arguments) != 1:
            raise _error(at, f"abs takes one value, not {len(arguments)}")
        if name == "abs":
            return lambda env: abs(_number(arguments[0](env), "abs", at))
        return lambda env: FUNCTIONS[name](_number(argument(env), name, at) for argument in arguments)


def _constant(value):
    return lambda env: value


def _variable(name, at):
    """A variable's value; text that reads as a number is one, because extra specs and QoS specs hold only texts."""
    head, *path = name.split(".")

    def value(env):
        if head not in env or not path:
            known = ", ".join(f"{word}.…" for word in sorted(env))
            raise _error(at, f"{name} is not a variable; there are {known}, and abs, max, min")
        found, walked = env[head], head
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


def _or(operands):
    def value(env):
        for operand in operands:
            if found := operand(env):
                break
        return found

    return value


def _and(operands):
    def value(env):
        for operand in operands:
            if not (found := operand(env)):
                break
        return found

    return value


def _not(operand):
    return lambda env: not operand(env)


def _choice(condition, yes, no):
    return lambda env: yes(env) if condition(env) else no(env)


def _comparison(first, rest):
    def value(env):
        left = first(env)
        for (sign, at), operand in rest:
            right = operand(env)
            if not _compare(left, right, sign, at):
                return False
            left = right
        return True

    return value


def _compare(left, right, sign, at):
    if not (isinstance(left, str) and isinstance(right, str)):
        one, other = _as_number(left), _as_number(right)
        if one is not None and other is not None:
            return COMPARISONS[sign](one, other)
        if sign not in ("==", "!=", "<>"):
            raise _error(at, f"{left!r} and {right!r} have no order ('{sign}')")
    return COMPARISONS[sign](left, right)


def _arithmetic(first, rest):
    def value(env):
        total = first(env)
        for (sign, at), operand in rest:
            left, right = _number(total, sign, at), _number(operand(env), sign, at)
            if sign == "/" and right == 0:
                raise _error(at, "division by zero")
            total = ARITHMETIC[sign](left, right)
        return total

    return value


def _signed(operand, negative, at):
    sign = "-" if negative else "+"
    return lambda env: _number(operand(env), sign, at) * (-1 if negative else 1)


def _power(operands, places):
    def value(env):
        result = _number(operands[-1](env), "^", places[-1])
        for base, at in zip(reversed(operands[:-1]), reversed(places), strict=True):
            base = _number(base(env), "^", at)
            try:
                result = math.pow(base, result)
            except (OverflowError, ValueError) as problem:
                raise _error(at, f"{base:g} ^ {result:g} is not a number") from problem
        return result

    return value


def _as_number(value):
    """The value as a float, or None. Capacities are reported as "infinite" where there is no end to them."""
    if isinstance(value, str):
        if value == "infinite":
            return math.inf
        return float(value) if NUMBER.fullmatch(value) else None
    try:
        return float(value)
    except OverflowError:
        return math.inf


def _number(value, sign, at):
    number = _as_number(value)
    if number is None:
        raise _error(at, f"'{sign}' needs numbers, not the text '{value}'")
    return number
