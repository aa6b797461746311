"""What is said of scores along a line: the curve of each pipeline on each mean."""

from collections.abc import Iterator

import pandas as pd

from spkit.evaluation.means import MEANS


def curves_of(table: pd.DataFrame) -> Iterator[tuple[tuple[str, str], pd.DataFrame]]:
    """The rows of each pipeline and mean, with the pipeline and the mean as they stand in a sentence.

    Args:
        table: with the columns `pipeline` and `task`.
    """
    for pipeline in dict.fromkeys(table["pipeline"]):
        for mean in MEANS:
            rows = table[(table["pipeline"] == pipeline) & (table["task"] == mean)]
            if len(rows):
                yield (str(pipeline), mean), rows
