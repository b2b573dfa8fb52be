"""Requests repeat transactions that a database has rolled back for another's sake, or whose node was lost."""

import ast

from tests.meta.source import TOP

#: Where requests open transactions, and the decorators that repeat them.
PLACES = ("api/*.py", "volume/verbs/*.py", "backup/api.py")
REPEATING = ("retried", "accepts")


def opens_a_transaction(function):
    return any(isinstance(item.context_expr, ast.Call) and ast.unparse(item.context_expr).endswith("db.write()")
               for node in ast.walk(function) if isinstance(node, ast.With) for item in node.items)


def test_every_transaction_of_a_request_is_repeated():
    found, missing = 0, []
    for place in PLACES:
        for path in sorted((TOP / "cinder_lite").glob(place)):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.FunctionDef) and opens_a_transaction(node):
                    found += 1
                    if not any(ast.unparse(one).split(".")[-1] in REPEATING for one in node.decorator_list):
                        missing.append(f"{path.name}: {node.name}")
    assert found > 70
    assert missing == []
