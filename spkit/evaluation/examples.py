"""Examples, not only means: on which texts do two models differ most?"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from datasets import Dataset
from sentence_transformers import SentenceTransformer
from tqdm.auto import tqdm

from spkit.errors import SpkitError, quoted, shown
from spkit.evaluation.embedded import embedder, similarity_of
from spkit.evaluation.measuring import mode_kept, role_of
from spkit.models.bases import load_model
from spkit.tasks import Task
from spkit.tasks.kinds import Seen
from spkit.tasks.named import named_tasks

_COLUMNS = [
    "task", "role", "kind", "text", "other", "target", "value", "a", "b", "change", "better", "answer_a", "answer_b",
]  # fmt: skip


def changed_examples(
    model_a: SentenceTransformer | str | Path,
    model_b: SentenceTransformer | str | Path,
    tasks: Task | Mapping[str, Task] | Sequence[Task],
    *,
    most: int | None = 20,
    split: str | None = None,
    batch_size: int = 64,
    progress: bool = False,
) -> pd.DataFrame:
    """The examples that change most from one model to another: whether a point of the mean is worth having.

    Of a search these are the queries whose right document moved, of pairs those whose similarity moved, of labelled
    texts those that are given another label. Positions between task vectors are models, too: `vectors.at(...)`.

    Args:
        model_a: a model, its folder or its hub id.
        model_b: another one.
        tasks: a dict of Tasks, a list of them, or one.
        most: so many examples of each task at most, those that changed most first; None gives all of them.
        split: `"test"`, `"dev"` or `"train"`. None: dev of the tasks that are trained on, since who looks at examples
            chooses by them; test of unseen ones, which have nothing else.
        batch_size: texts embedded at once.
        progress: whether to show a progress bar over tasks and models.

    Returns:
        A row an example: `task`, `role` ("trained" or "unseen"), `kind`, `text` (the query, the first text of a pair),
        `other` (the second text of a pair), `target` (what is right: a document, a score, a label), `value` (what `a`
        and `b` are), `a` and `b` (of the two models), `change` (b − a), `better` ("a" or "b": which model is nearer to
        the target; "" for neither), `answer_a` and `answer_b` (the document in the first place, the label).

        `value` is "rank" for retrieval and reranking: the place of the first right document among all documents of the
        split and the corpus, or among the query's own candidates; sorted by the ratio of the ranks, so that from 1 to 5
        is more than from 50 to 60. It is "similarity" for sts and pair: the cosine; of two sts similarities that is
        better whose rank is nearer to that of the score. It is "margin" for classification and clustering: by how much
        the mean embedding of the other texts of its own label is nearer to a text than that of any other label, in
        cosines (the label with the nearest mean is the answer, where `evaluate` trains a classifier); texts whose label
        changed come first. The margin of a text whose label no other text has is NaN.

    Raises:
        SpkitError: no task, one without the split, `most` below 1, or a model whose embeddings are not finite.

    Example:
        >>> import spkit
        >>> one, other = spkit.load_base("minilm-l3"), spkit.load_base("minilm-l6")
        >>> table = changed_examples(one, other, spkit.load_tasks("bundled", names=["similarity"]), most=2)
        >>> table[["task", "value", "better"]].shape, list(table["value"].unique())
        ((2, 3), ['similarity'])
        >>> bool(table["change"].abs().is_monotonic_decreasing)
        True
    """
    given = [tasks] if isinstance(tasks, Task) else tasks
    each = list(given.values()) if isinstance(given, Mapping) else list(given)
    if not each:
        raise SpkitError("`tasks` must hold at least one task.", "Found none.", 'Pass `load_tasks("bundled")`.')
    strange = [shown(task) for task in each if not isinstance(task, Task)]
    if strange:
        raise SpkitError(
            "Examples are looked at in tasks of spkit.",
            f"Found {', '.join(strange)}.",
            "Pass Tasks; `spkit.load_mteb` makes one of an mteb task.",
        )
    named = named_tasks(given)
    if most is not None and most < 1:
        raise SpkitError("`most` must be 1 or more.", f"Found {most}.", "Pass None for all examples.")
    if batch_size < 1:
        raise SpkitError("`batch_size` must be positive.", f"Found {batch_size}.", "Pass `batch_size=64`.")
    rows = {name: rows_looked_at(task, split) for name, task in named.items()}
    seen: dict[tuple[str, str], Seen] = {}
    with tqdm(total=2 * len(named), desc="examples", unit="task", disable=not progress) as bar:
        for which, source in (("a", model_a), ("b", model_b)):
            model = load_model(source)
            with mode_kept(model):
                for name, task in named.items():
                    embed, similarity = embedder(model, task, batch_size), similarity_of(model, task)
                    seen[which, name] = task.definition.seen(rows[name], task.corpus, embed, similarity)
                    bar.update()
    tables = [_table(name, task, seen["a", name], seen["b", name], most) for name, task in named.items()]
    return pd.concat(tables, ignore_index=True)


def rows_looked_at(task: Task, split: str | None) -> Dataset:
    """The examples that are looked at: of dev, where one may choose, or of the split asked for.

    Args:
        task: whose.
        split: its name; None is dev of a task that is trained on, test of another.

    Raises:
        SpkitError: the task has no such split.
    """
    wanted = split or ("dev" if task.trained else "test")
    if wanted not in task.splits:
        raise SpkitError(
            f"`split` must be one that task {task.name!r} has.",
            f"Found {wanted!r}.",
            f"Pass one of {quoted(task.splits)}.",
        )
    return task.splits[wanted]


def _table(name: str, task: Task, a: Seen, b: Seen, most: int | None) -> pd.DataFrame:
    """The rows of one task, those that changed most first."""
    moved = task.definition.moved(a, b)
    # Of equally changed ones the first in the data; what is not known comes last.
    order = np.argsort(np.where(np.isnan(moved), np.inf, -moved), kind="stable")[:most]
    better = np.where(b.fits > a.fits, "b", np.where(b.fits < a.fits, "a", ""))
    columns: dict[str, Any] = {
        "task": name,
        "role": role_of(task),
        "kind": task.kind,
        "text": [a.texts[number] for number in order],
        "other": [a.others[number] for number in order],
        "target": pd.Series([a.targets[number] for number in order], dtype=object),
        "value": task.definition.example_value,
        "a": a.values[order],
        "b": b.values[order],
        "change": (b.values - a.values)[order],
        "better": better[order],
        "answer_a": pd.Series([a.answers[number] for number in order], dtype=object),
        "answer_b": pd.Series([b.answers[number] for number in order], dtype=object),
    }
    return pd.DataFrame(columns)[_COLUMNS]
