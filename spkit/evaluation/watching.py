"""What each example contributed to a score, noted while mteb computes it.

mteb takes seconds to import, so only functions import this module.
"""

from copy import copy
from typing import Any, cast

import numpy as np
from datasets import Column
from mteb.abstasks import AbsTask

from spkit.tasks.kinds import Kind, kinds


def watched(task: AbsTask) -> tuple[AbsTask, list[np.ndarray]]:
    """A copy of a task that notes what each example contributes, and the list that fills up.

    mteb hands its intermediate results to a method of the task right before they are summed up. The copy is of a
    subclass whose method also writes them down: nDCG@10 of each query; predicted similarity and gold of each pair;
    whether each example was labelled correctly, once an experiment. The task itself stays as it is.

    Args:
        task: ours or mteb's own; of one whose kind is not known here the list stays empty.
    """
    seen: list[np.ndarray] = []
    kind, method = _watched(task)
    if kind is None:
        return copy(task), seen
    original = getattr(type(task), method)

    def noting(own: AbsTask, *handed: Any, **named: Any) -> Any:
        # scikit-learn would walk through a lazy column of datasets some 25 times, row by row
        handed = tuple(np.asarray(cast(Any, one)[:]) if isinstance(one, Column) else one for one in handed)
        seen.append(kind.values(own, *handed))
        return original(own, *handed, **named)

    watching = type(type(task).__name__, (type(task),), {method: noting})
    twin = object.__new__(watching)
    vars(twin).update(vars(task))
    return twin, seen


def _watched(task: AbsTask) -> tuple[Kind | None, str]:
    """The kind that knows where a task of mteb's class is handed its examples, and the method."""
    for kind in kinds().values():
        method = kind.watched(task) if isinstance(task, kind.mteb_class()) else ""
        if method:
            return kind, method
    return None, ""
