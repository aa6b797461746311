"""Malformed input: a sample of what `python -m tests.malformed` makes all of."""

import warnings

import pytest

from tests.malformed import all_cases, make_home
from tests.malformed.case import Case, outcome
from tests.malformed.profiles import run

#: Every so many inputs of an area are tried here.
SHARES = {"profile": 23, "command line": 17, "task file": 5, "json": 4, "data file": 6, "safetensors": 6, "journal": 3}


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return make_home(tmp_path_factory.mktemp("malformed") / "home")


@pytest.mark.slow
def test_each_is_refused_in_one_error_that_names_it(home, tmp_path, no_type_check):
    ended, numbers = {}, dict.fromkeys(SHARES, 0)
    for case in all_cases(home):
        if case.area not in SHARES:
            continue
        numbers[case.area] += 1
        if numbers[case.area] % SHARES[case.area] == 0:
            found = outcome(case, tmp_path / f"{len(ended)}")
            ended[f"{case.area}: {case.wrong}"] = f"{found.word}: {found.about[-500:]}"
    assert len(ended) > 100
    assert {case: what for case, what in ended.items() if not what.startswith("refused")} == {}
    assert sum(numbers.values()) > 1500


def test_what_is_valid_is_no_case(home, tmp_path, no_type_check):
    """The generator can fail: a profile with nothing wrong in it counts as accepted, a bug as a traceback."""
    text = (home / "all.toml").read_text(encoding="utf-8")
    for name in ("base", "tasks.toml", "data"):
        text = text.replace(f'"{name}"', f'"{home / name}"', 1)
    valid = Case("profile", "nothing", (), lambda folder: (folder / "bad.toml").write_text(text) and None, run)
    assert outcome(valid, tmp_path / "valid").word == "accepted"
    broken = Case("none", "everything", (), lambda folder: None, lambda folder: 1 / 0)
    assert outcome(broken, tmp_path / "broken").word == "traceback"
    left = Case("none", "a file", (), lambda folder: None, _leaves_a_file)
    assert outcome(left, tmp_path / "left").word == "left"
    unnamed = Case("none", "a key", ("key",), lambda folder: None, _refuses)
    assert outcome(unnamed, tmp_path / "unnamed").word == "unclear"


def _leaves_a_file(folder):
    (folder / "half").write_text("")
    _refuses(folder)


def _refuses(folder):
    from spkit.errors import SpkitError

    raise SpkitError("A rule.", "Found something.", "Do another thing.")
