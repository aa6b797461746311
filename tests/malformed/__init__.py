"""Inputs that are wrong, each with what is wrong with it, and what becomes of them.

A case writes its input into an empty folder and hands it to spkit as a user would. It must end in one error of ours, of
one line, that names what it is about; nothing may be left in the folder. `python -m tests.malformed` runs all of them,
`tests/test_malformed.py` a sample. They are made by generators with a fixed seed, and nothing reaches the network.
"""

from collections.abc import Iterator
from pathlib import Path

from tests.malformed import profiles
from tests.malformed.case import Case, Home
from tests.tiny_study import write_home

_GENERATORS = (profiles.cases,)


def make_home(folder: Path) -> Home:
    """The valid things that the inputs are mutations of."""
    folder.mkdir()
    write_home(folder)
    return Home(folder)


def all_cases(home: Home) -> Iterator[Case]:
    """Every input, in the order of the areas."""
    for generate in _GENERATORS:
        yield from generate(home)
