"""What is said of scores along a line: the curve of each pipeline on each mean."""

from collections.abc import Iterator

import pandas as pd

from spkit.evaluation.means import MEAN, UNSEEN_MEAN

#: How both means are called in a sentence.
MEANS = {MEAN: "trained", UNSEEN_MEAN: "unseen"}


def curves_of(table: pd.DataFrame) -> Iterator[tuple[tuple[str, str], pd.DataFrame]]:
    """The rows of each pipeline and mean, with the two as they stand in a sentence.

    Args:
        table: with the columns `pipeline` and `task`.
    """
    for pipeline in dict.fromkeys(table["pipeline"]):
        for task, name in MEANS.items():
            rows = table[(table["pipeline"] == pipeline) & (table["task"] == task)]
            if len(rows):
                yield (str(pipeline), name), rows
