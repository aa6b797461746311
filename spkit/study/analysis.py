"""What an analysis is: stages beyond the headline comparison, the tables that they give, its words and its figures."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

import pandas as pd

from spkit.study.paper import Claim
from spkit.study.profile import AnalysisSettings, Profile
from spkit.study.seed_run import SeedRun
from spkit.study.tables import SeedRecords
from spkit.tasks import Task

Given = TypeVar("Given", bound=AnalysisSettings)


@dataclass(frozen=True)
class Analysis(Generic[Given]):
    """A part of a study that its profile turns on with a table of its own.

    An analysis is a file in `spkit/study/analyses/` that calls it `ANALYSIS`. The file's name is the name of its
    table in a profile. Profiles, the command line, the report, the summary and the figures learn of it from there.

    Attributes:
        settings: the model of the profile's table: keys, types, ranges and defaults. It stands in a file of
            `spkit/study/analysis_settings/`.
        stages: makes its records for one seed.
        table: makes its result tables (file name to table) of the records of the seeds it ran on; the number is that
            of bootstrap resamples.
        words: its sentences in the summary, in Markdown, from all tables of the study.
        claims: the claims of the paper that it can speak of, from its tables.
        check: raises what would go wrong hours later, from the settings, the profile and the study's tasks; it need not
            name its table.
        methods: methods whose models it has scored beside those of the headline comparison, on every seed of the study;
            they stand in the same tables.
        figures: names of the figures that show its tables. They are written out in the call of `Analysis`, from where
            `spkit.study.analyses.analyses_of_figures` reads them without importing the analysis.
    """

    settings: type[Given]
    stages: Callable[[SeedRun, Given], None]
    table: Callable[[SeedRecords, Given, int], Mapping[str, pd.DataFrame]]
    words: Callable[[Mapping[str, pd.DataFrame]], list[str]] = lambda tables: []
    claims: Callable[[Mapping[str, pd.DataFrame]], list[Claim]] = lambda tables: []
    check: Callable[[Given, Profile, Mapping[str, Task]], None] = lambda settings, profile, tasks: None
    methods: Callable[[Given], list[str]] = lambda settings: []
    figures: tuple[str, ...] = ()
