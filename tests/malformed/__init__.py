"""Inputs that are wrong, each with what is wrong with it, and what becomes of them.

A case writes its input into an empty folder and hands it to spkit as a user would. It must end in one error of ours, of
one line, that names what it is about; nothing may be left in the folder. `python -m tests.malformed` runs all of them,
`tests/test_malformed.py` a sample. They are made by generators with a fixed seed, and nothing reaches the network.
"""

import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from tests.malformed import command_lines, profiles
from tests.malformed.case import Case, Home
from tests.tiny_study import write_home

_GENERATORS = (profiles.cases, command_lines.cases)


def make_home(folder: Path) -> Home:
    """The valid things that the inputs are mutations of: a base, two experts, vectors, a position, tasks, a profile."""
    import pandas as pd

    from spkit import Probe, TaskVectors, load_base, load_tasks, save_model, self_position
    from tests.experts import noisy

    folder.mkdir()
    write_home(folder)
    shutil.copyfile(folder / "tasks.toml", folder / "data" / "tasks.toml")
    base = load_base(str(folder / "base"))
    experts = {name: noisy(base, seed, 0.01) for seed, name in enumerate(("faq", "topic"))}
    for name, expert in experts.items():
        save_model(expert, folder / name)
    vectors = TaskVectors.from_models(base, experts)
    vectors.save(folder / "vectors")
    vectors = TaskVectors.load(folder / "vectors")
    probe = Probe.sample(load_tasks(folder / "tasks.toml", ["faq", "topic"], folder=folder / "data"), size=32)
    found = self_position(vectors, probe, steps=1, batch_size=8, journal=folder / "search.jsonl", progress=False)
    found.save(folder / "position")
    (folder / "results").mkdir()
    scores = pd.DataFrame({"method": ["average"], "task": ["mean"], "metric": ["mean"], "score": [60.0], "low": [50.0], "high": [70.0], "seed": [0]})
    scores.to_csv(folder / "results" / "scores.csv", index=False)
    return Home(folder)


def all_cases(home: Home) -> Iterator[Case]:
    """Every input, in the order of the areas."""
    for generate in _GENERATORS:
        yield from generate(home)
