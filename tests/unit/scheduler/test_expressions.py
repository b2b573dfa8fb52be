"""The language of filter_function and goodness_function: values, precedence, error messages."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cinder_lite.scheduler.expressions import ExpressionError, check, evaluate

VARIABLES = {
    "stats": {"free_capacity_gb": 37.5, "total_capacity_gb": "infinite", "host": "a@b#c"},
    "capabilities": {"total_volumes": 12, "thin": True, "protocols": ["iSCSI"], "deep": {"iops": 7}, "none": None},
    "volume": {"size": 10, "name": "db"},
    "extra": {"iops": "500", "tier": "gold", "bad": "1e"},
    "qos": {"maxIOPS": "1.5"},
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1", 1),
        ("1.5", 1.5),
        (".5 + 1.", 1.5),
        ("1e3", 1000),
        ("'a b'", "a b"),
        ('"it\'s"', "it's"),
        ("1 + 2 * 3", 7),
        ("(1 + 2) * 3", 9),
        ("10 - 2 - 3", 5),
        ("16 / 4 / 2", 2),
        ("7/2", 3.5),
        ("2 ^ 3 ^ 2", 512),
        ("-2 ^ 2", -4),
        ("2 ^ -1", 0.5),
        ("--3", 3),
        ("-+3", -3),
        ("2 * -3", -6),
        ("abs(-4) + max(1, 5, 3) - min(2, 4)", 7),
        ("max(volume.size, 3)", 10),
        ("1 < 2", True),
        ("2 <= 1", False),
        ("1 < 2 < 3", True),
        ("1 < 3 < 2", False),
        ("3 > 2 >= 2 == 2 != 1", True),
        ("1 <> 2", True),
        ("1 == 1.0", True),
        ("'a' < 'b'", True),
        ("'5' == 5", True),
        ("'a' == 5", False),
        ("'a' != 5", True),
        ("1 and 0", 0),
        ("1 < 2 and 2 < 3", True),
        ("1 < 2 AND 2 > 3", False),
        ("0 or 5", 5),
        ("1 > 2 || 3 > 2 && 1 > 2", False),
        ("1 > 2 OR 3 > 2", True),
        ("not 0", True),
        ("!1", False),
        ("not not 5", True),
        ("not not not 5", False),
        ("NOT (1 > 2)", True),
        ("not 1 == 0", True),
        ("1 ? 2 : 3", 2),
        ("0 ? 2 : 3", 3),
        ("0 ? 1 : 0 ? 2 : 3", 3),
        ("1 > 2 ? 10 : 4 > 3 ? 20 : 30", 20),
        ("0 and 1 ? 2 : 3", 0),
        ("(0 and 1) ? 2 : 3", 3),
        ("1 ? 0 or 4 : 3", 4),
        ("stats.free_capacity_gb", 37.5),
        ("volume.size < 11", True),
        ("extra.iops / 2", 250),
        ("extra.iops == 500", True),
        ("qos.maxIOPS * 2", 3),
        ("extra.tier == 'gold'", True),
        ("volume.name == \"db\"", True),
        ("capabilities.thin", True),
        ("capabilities.thin == 1", True),
        ("capabilities.deep.iops", 7),
        ("stats.total_capacity_gb > 1000", True),
        ("stats.total_capacity_gb == 'infinite'", True),
        ("100 - capabilities.total_volumes * 2", 76),
        # what is not needed is not looked at
        ("1 ? 2 : stats.missing", 2),
        ("0 and stats.missing", 0),
        ("1 or stats.missing", 1),
    ],
)
def test_values(text, expected):
    value = evaluate(text, VARIABLES)
    assert value == expected
    assert isinstance(value, bool) is isinstance(expected, bool)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "at character 1: expected a value, found the end"),
        ("   ", "at character 4: expected a value, found the end"),
        ("1 +", "at character 4: expected a value, found the end"),
        ("1 2", "at character 3: expected an operator or the end, found '2'"),
        ("* 3", "at character 1: expected a value, found '*'"),
        ("(1", "at character 3: expected ')', found the end"),
        ("1)", "at character 2: expected an operator or the end, found ')'"),
        ("1 ? 2", "at character 6: expected ':', found the end"),
        ("max 3", "at character 5: expected '(', found '3'"),
        ("max()", "at character 5: expected a value, found ')'"),
        ("abs(1, 2)", "at character 1: abs takes one value, not 2"),
        ("1 + and", "at character 5: expected a value, found 'and'"),
        ("1 = 2", "at character 3: '=', which means nothing here"),
        ("import os; 1", "at character 10: ';', which means nothing here"),
        ("'abc", "at character 1: a quoted text that does not end"),
        ("1 'and' 2", "at character 3: expected an operator or the end, found 'and'"),
    ],
)
def test_invalid_expressions(text, message):
    with pytest.raises(ExpressionError) as caught:
        check(text)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1 / 0", "at character 3: division by zero"),
        ("'a' + 1", "at character 5: '+' needs numbers, not the text 'a'"),
        ("-extra.tier", "at character 1: '-' needs numbers, not the text 'gold'"),
        ("max(1, extra.bad)", "at character 1: 'max' needs numbers, not the text '1e'"),
        ("9 ^ 9 ^ 9", "at character 3: 9 ^ 3.8742e+08 is not a number"),
        ("(-8) ^ 0.5", "at character 6: -8 ^ 0.5 is not a number"),
        ("0 ^ -1", "at character 3: 0 ^ -1 is not a number"),
        ("extra.tier > 5", "at character 12: 'gold' and 5.0 have no order ('>')"),
        ("1 + stats.fre", "at character 5: stats has no 'fre'; it has free_capacity_gb, host, total_capacity_gb"),
        ("nova.x", "at character 1: nova.x is not a variable; there are capabilities.…, extra.…, qos.…"),
        ("true", "at character 1: true is not a variable"),
        ("stats", "at character 1: stats is not a variable"),
        ("volume.size.x", "at character 1: volume.size has no 'x'; it has nothing"),
        ("capabilities.protocols == 1", "capabilities.protocols is ['iSCSI'], neither a number nor a text"),
        ("capabilities.none", "capabilities.none is None, neither a number nor a text"),
    ],
)
def test_expressions_without_a_value(text, message):
    check(text)
    with pytest.raises(ExpressionError) as caught:
        evaluate(text, VARIABLES)
    assert message in str(caught.value)


def test_long_and_deep_ones_are_refused():
    with pytest.raises(ExpressionError, match="5001 characters"):
        check("1" * 5001)
    for deep in ("(" * 1000 + "1" + ")" * 1000, "abs(" * 500 + "1" + ")" * 500, "1 ? 1 : " * 400 + "1"):
        with pytest.raises(ExpressionError, match="nested more than 40 deep"):
            check(deep)
    assert evaluate("(" * 30 + "1" + ")" * 30, {}) == 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [("+".join(["1"] * 2000), 2000), ("-" * 4001 + "1", -1), ("!" * 4001 + "1", False), ("1^" * 2000 + "1", 1)],
)
def test_long_flat_ones_are_read(text, expected):
    assert evaluate(text, {}) == expected


def test_a_long_chain_of_words_is_read():
    assert evaluate("&&".join(["1"] * 1300), {}) == 1
    assert evaluate("||".join(["0"] * 1300), {}) == 0


@settings(derandomize=True, max_examples=300, deadline=None)
@given(st.text(alphabet="0123456789.+-*/^<>=!?:(),'\" abcdnortesiz&|_", max_size=60))
def test_any_text_has_a_value_or_an_error_of_ours(text):
    try:
        value = evaluate(text, VARIABLES)
    except ExpressionError:
        return
    assert isinstance(value, float | str | bool)


tree = st.recursive(
    st.integers(0, 50).map(str),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["+", "-", "*", "<", "<=", "==", "!="]), inner).map(
            lambda t: f"({' '.join(t)})"
        ),
        inner.map(lambda t: f"(-{t})"),
        st.lists(inner, min_size=1, max_size=3).map(lambda ts: f"max({', '.join(ts)}, 0)"),
    ),
    max_leaves=15,
)


@settings(derandomize=True, max_examples=200, deadline=None)
@given(tree)
def test_bracketed_arithmetic_agrees_with_python(text):
    assert evaluate(text, {}) == eval(text, {"max": max})
