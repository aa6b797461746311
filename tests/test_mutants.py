"""The list of mutants is not out of date: what they change stands in the code, and the tests they name are there."""

import ast
from functools import cache

import pytest

from tests import mutants
from tests.mutants import ROOT, Mutant


@cache
def names_in(path: str) -> set[str]:
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("mutant", mutants.mutants(), ids=lambda one: f"{one.file}: {one.why}")
def test_a_mutant_is_one_change_of_the_code_as_it_is(mutant) -> None:
    assert mutant.occurrences == 1, f"must stand in spkit/{mutant.file} once: {mutant.old!r}"
    assert mutant.old != mutant.new
    compile(mutant.source.replace(mutant.old, mutant.new), mutant.file, "exec")
    assert mutant.tests
    for test in mutant.tests:
        path, _, name = test.partition("::")
        assert (ROOT / path).is_file(), f"{path} is gone"
        assert name in names_in(path), f"{test} is gone"


def test_no_error_stands_in_the_list_twice() -> None:
    changes = [(one.file, one.old, one.new) for one in mutants.mutants()]
    assert len(set(changes)) == len(changes) >= 40


def test_a_text_that_is_gone_ends_the_command(monkeypatch, capsys) -> None:
    monkeypatch.setattr(mutants, "mutants", lambda: [Mutant("errors.py", "what was never there", "", "none", [])])
    assert mutants.main([]) == 1
    assert "occurs 0 times: 'what was never there'" in capsys.readouterr().out
