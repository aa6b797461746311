"""Inputs that are wrong, each with what is wrong with it, and what becomes of them.

A case writes its input into an empty folder and hands it to spkit as a user would. It must end in one error of ours, of
one line, that names what it is about; nothing may be left in the folder. `python -m tests.malformed` runs all of them,
`tests/test_malformed.py` a sample. They are made by generators with a fixed seed, and nothing reaches the network.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.malformed import command_lines, files, profiles
from tests.malformed.case import Case, Home
from tests.tiny_study import write_home

_GENERATORS = (profiles.cases, command_lines.cases, files.cases)


def make_home(folder: Path) -> Home:
    """The valid things that the inputs are mutations of: a base, two experts, vectors, a position, tasks, a profile."""
    import pandas as pd

    from spkit import TaskVectors, load_base, save_model
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
    search(folder, folder / "search.jsonl").save(folder / "position")
    (folder / "results").mkdir()
    scores = pd.DataFrame(
        {
            "method": ["average"],
            "task": ["mean"],
            "metric": ["mean"],
            "score": [60.0],
            "low": [50.0],
            "high": [70.0],
            "seed": [0],
        }
    )
    scores.to_csv(folder / "results" / "scores.csv", index=False)
    return Home(folder)


def search(folder: Path, journal: Path) -> Any:
    """A search of one step between the vectors, with a journal."""
    from spkit import Probe, TaskVectors, load_tasks, self_position

    tasks = load_tasks(folder / "tasks.toml", ["faq", "topic"], folder=folder / "data")
    probe = Probe.sample(tasks, size=32)
    vectors = TaskVectors.load(folder / "vectors")
    return self_position(vectors, probe, steps=1, batch_size=8, journal=journal, progress=False)


def all_cases(home: Home) -> Iterator[Case]:
    """Every input, in the order of the areas."""
    for generate in _GENERATORS:
        yield from generate(home)
