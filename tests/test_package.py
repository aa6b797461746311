"""The package's face: a light import, names that resolve, and one dialect of errors."""

import subprocess
import sys
import time

import pytest

import spkit
from spkit.errors import SpkitError, quoted


def test_importing_spkit_is_fast_and_imports_nothing_heavy():
    code = (
        "import sys, time\n"
        "began = time.perf_counter()\n"
        "import spkit\n"
        "seconds = time.perf_counter() - began\n"
        "spkit.SpkitError\n"
        "print(seconds, *({'torch', 'transformers', 'mteb', 'pandas', 'numpy', 'datasets'} & set(sys.modules)))"
    )
    # -I: no variables and no paths of this process reach the other one.
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True)
    seconds, *heavy = done.stdout.split()
    assert heavy == []
    assert float(seconds) < 0.5  # torch alone takes seconds; this takes milliseconds


@pytest.mark.parametrize("name", spkit.__all__)
def test_every_public_name_resolves(name):
    value = getattr(spkit, name)
    assert value.__doc__
    if name != "plot":  # a module of figures
        assert callable(value)
        assert value.__module__.startswith("spkit.")
    assert name in dir(spkit)


def test_names_are_listed_once_and_in_order():
    assert list(spkit.__all__) == sorted(set(spkit.__all__))
    assert set(spkit.__all__) == set(spkit._OWNERS)


def test_an_unknown_name_says_what_there_is():
    with pytest.raises(AttributeError, match=r"no attribute 'mergee'.*merge_methods"):
        spkit.mergee  # noqa: B018  # pyright: ignore[reportAttributeAccessIssue]


@pytest.mark.parametrize(("old", "new"), spkit._RENAMED.items())
def test_an_old_name_still_works_and_names_the_new_one(old, new):
    with pytest.warns(FutureWarning, match=rf"`spkit.{old}` is called `spkit.{new}` now"):
        assert getattr(spkit, old) is getattr(spkit, new)
    with pytest.warns(FutureWarning, match=new):  # every time, not only the first
        getattr(spkit, old)
    assert old not in spkit.__all__


def test_a_public_name_is_looked_up_once():
    spkit.merge_methods  # noqa: B018
    began = time.perf_counter()
    for _ in range(1000):
        spkit.merge_methods  # noqa: B018
    assert "merge_methods" in vars(spkit)
    assert time.perf_counter() - began < 0.1


def test_errors_are_value_errors_of_three_parts():
    error = SpkitError("`steps` must be positive.", "Found 0.", "Pass 1 or more.")
    assert isinstance(error, ValueError)
    assert str(error) == "`steps` must be positive. Found 0. Pass 1 or more."
    assert str(SpkitError("A rule.", fix="A fix.")) == "A rule. A fix."


def test_names_in_errors_are_quoted():
    assert quoted(["faq", "it's", "名"]) == "'faq', \"it's\", '名'"
    assert quoted([]) == ""
