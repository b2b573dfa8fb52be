"""Postponed imports: nothing runs before the module is used, and it runs once."""

import importlib
import sys
import threading

import pytest

from cinder_lite.concurrency import postponed

MODULE = """
import pathlib
with open(pathlib.Path(__file__).with_suffix(".runs"), "a") as file:
    file.write("x")
answer = 42
def double(number, more=0):
    return 2 * number + more
"""


@pytest.fixture
def module(tmp_path, monkeypatch):
    """A package with two modules; returns the number of times that `first` has been executed."""
    (tmp_path / "seldom_used").mkdir()
    for name in ("__init__", "first", "second"):
        (tmp_path / "seldom_used" / f"{name}.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    importlib.invalidate_caches()
    yield lambda name="first": len(runs.read_text()) if (runs := tmp_path / f"seldom_used/{name}.runs").exists() else 0
    for name in [name for name in sys.modules if name.partition(".")[0] == "seldom_used"]:
        del sys.modules[name]


def test_a_module_is_imported_when_an_attribute_is_used(module):
    postponed.postpone("seldom_used.first")
    import seldom_used.first
    import seldom_used.first as again
    from seldom_used import first
    assert (module(), module("__init__")) == (0, 1)
    assert (first.answer, again.double(4), seldom_used.first.answer) == (42, 8, 42)
    assert module() == 1
    assert isinstance(first, postponed.Postponed)
    assert not isinstance(importlib.import_module("seldom_used.first"), postponed.Postponed)
    assert not hasattr(first, "missing")


def test_names_can_be_taken_before(module):
    postponed.postpone("seldom_used.first", "double", answer=41)
    from seldom_used.first import answer, double
    assert (answer, module()) == (41, 0)
    assert (double(4, more=1), module()) == (9, 1)


def test_a_submodule_of_a_postponed_package_can_be_imported(module):
    postponed.postpone("seldom_used")
    import seldom_used
    assert module("__init__") == 0
    from seldom_used import second
    assert (second.answer, seldom_used.answer, module("__init__")) == (42, 42, 1)


def test_modules_that_are_imported_or_missing_stay_so(module):
    importlib.import_module("seldom_used.second")
    postponed.postpone("seldom_used.second")
    postponed.postpone("seldom_used.missing")
    assert not isinstance(sys.modules["seldom_used.second"], postponed.Postponed)
    with pytest.raises(ImportError):
        importlib.import_module("seldom_used.missing")


def test_questions_about_modules_import_nothing(module):
    postponed.postpone("seldom_used.first")
    assert importlib.util.find_spec("seldom_used.first").name == "seldom_used.first"
    assert [hasattr(sys.modules["seldom_used.first"], name) for name in ("__file__", "__wrapped__")] == [False, False]
    assert module() == 0


def test_threads_that_use_it_at_once_import_it_once(module):
    postponed.postpone("seldom_used.first")
    from seldom_used import first
    barrier, found = threading.Barrier(8), []

    def use():
        barrier.wait()
        found.append(first.answer)

    threads = [threading.Thread(target=use) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (found, module()) == ([42] * 8, 1)
