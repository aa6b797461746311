"""The two means of a table of scores: over what models were trained on, and over what nobody trained on."""

from typing import Literal

#: How a score counts: on the test split of what was trained on, or on a set that is only ever scored.
ScoredRole = Literal["trained", "unseen"]

TRAINED: ScoredRole = "trained"
UNSEEN: ScoredRole = "unseen"

#: What stands as the task in the rows that average over the tasks of a role; the metric of both is "mean".
MEAN = "mean"
UNSEEN_MEAN = "unseen mean"

#: Each mean with the role of the tasks that it averages over, in the order of the tables.
MEANS: dict[str, ScoredRole] = {MEAN: TRAINED, UNSEEN_MEAN: UNSEEN}
