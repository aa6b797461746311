"""What an analysis is: stages beyond the headline comparison, and the tables that they give."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from spkit.study.seed_run import SeedRun
from spkit.study.tables import SeedRecords


def chosen(settings: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """Of a profile's table the settings that have a default, each as given or else as that."""
    return {key: settings.get(key, default) for key, default in defaults.items()}


@dataclass(frozen=True)
class Analysis:
    """A part of a study that its profile turns on with a table of its own.

    Attributes:
        name: of the profile's table.
        keys: that the table may have, beside `every_seed`.
        run: runs its stages for one seed, with the table's settings.
        results: makes its result tables (file name to table) of the records of the seeds it ran on; the number is that
            of bootstrap resamples.
        words: what it found, as sentences in Markdown, from all tables of the study.
        check: raises what would go wrong hours later, from the settings and the names of the study's tasks.
    """

    name: str
    keys: frozenset[str]
    run: Callable[[SeedRun, Mapping[str, Any]], None]
    results: Callable[[SeedRecords, Mapping[str, Any], int], Mapping[str, pd.DataFrame]]
    check: Callable[[Mapping[str, Any], list[str]], None] = lambda settings, tasks: None
    words: Callable[[Mapping[str, pd.DataFrame]], list[str]] = lambda tables: []
