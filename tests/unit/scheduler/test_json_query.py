"""The scheduler hint `query`: operators, variables, errors."""

import json

import pytest

from cinder_lite.scheduler.json_query import QueryError, passes

STATE = {"free_capacity_gb": 37, "total_capacity_gb": "infinite", "name": "", "capabilities": {"vendor_name": "Acme"}}


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ([], True),
        (["=", "$free_capacity_gb", 37], True),
        (["=", "$free_capacity_gb", 38], False),
        (["=", 1, 1, 1], True),
        (["=", 1, 1, 2], False),
        (["<", "$free_capacity_gb", 38, 100], True),
        (["<", "$free_capacity_gb", 38, 37], False),
        ([">", "$free_capacity_gb", 36], True),
        ([">", "$free_capacity_gb", 37], False),
        (["<=", "$free_capacity_gb", 37], True),
        ([">=", "$free_capacity_gb", 38], False),
        (["in", "$capabilities.vendor_name", "Open Source", "Acme"], True),
        (["in", "$capabilities.vendor_name", "Open Source"], False),
        (["not", [">", "$free_capacity_gb", 37]], True),
        (["not", True], False),
        (["not", True, False], True),
        (["and", ["=", 1, 1], ["=", 2, 2]], True),
        (["and", ["=", 1, 1], ["=", 2, 3]], False),
        (["and"], True),
        (["or", ["=", 1, 2], ["=", 2, 2]], True),
        (["or", ["=", 1, 2], ["=", 2, 3]], False),
        (["or"], False),
        (["not"], False),
        (["=", 1], False),
        # what is not known drops out
        (["=", "$nothing", 1], False),
        (["=", 37, "$free_capacity_gb", "$nothing"], True),
        (["=", "$capabilities.nothing.deeper", 1, 1], True),
        (["and", "$nothing", True], True),
        (["=", None, "a", "a"], True),
        (["=", "", "a", "a"], True),
    ],
)
def test_queries(query, expected):
    assert passes(query, STATE) is expected
    assert passes(json.dumps(query), STATE) is expected


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("{", "is not JSON"),
        ("{}", "{} stands where a list"),
        ("3", "3 stands where a list"),
        (["like", "$name", "x"], "'like' is not an operator"),
        ([["="], 1], "['='] is not an operator"),
        ([">", "$total_capacity_gb", 5], "'>' cannot compare 'infinite', 5"),
        ("[" * 3000, "too long"),
        ('["and", "' + "x" * 9000 + '"]', "too long"),
        ('["not", ' * 40 + "1" + "]" * 40, "nested more than 30 deep"),
    ],
)
def test_mistakes(query, words):
    with pytest.raises(QueryError) as caught:
        passes(query, STATE)
    assert words in str(caught.value)


def test_blank_text_is_true():
    assert passes("  ", STATE)
