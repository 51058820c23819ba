"""The tests that `docs/compatibility.md` names exist, where and as it names them."""

import ast
from pathlib import Path

import pytest
from scripts.pages import shown_by

ROOT = Path(__file__).parent.parent.parent
TESTS = sorted({test for fields in shown_by.ALL.values() for tests in fields.values() for test in tests})


def names_in(path):
    """What pytest collects of a file: its test functions, and those of its classes."""
    for node in ast.parse((ROOT / path).read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ClassDef) and node.name.startswith("Test"):
            for inner in node.body:
                if isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef):
                    yield f"{node.name}::{inner.name}"
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name


@pytest.mark.parametrize("test", TESTS)
def test_a_test_that_is_named_exists(test):
    path, _, name = test.partition("::")
    assert Path(path).name.startswith("test_")
    assert name.rpartition("::")[2].startswith("test_")
    assert name in set(names_in(path))


@pytest.mark.parametrize("endpoint", shown_by.ALL)
def test_every_field_is_shown_by_a_test(endpoint):
    for field, tests in shown_by.ALL[endpoint].items():
        assert tests, field
