"""Which data sets are alike, by what the base makes of them: groups to train an expert each on."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float
from sentence_transformers import SentenceTransformer

from spkit.errors import SpkitError, quoted
from spkit.hashing import spread_seed
from spkit.models.embedding import reading
from spkit.tasks import Task
from spkit.tasks.data_sets import data_sets
from spkit.tasks.loss_rows import loss_columns, loss_rows


def cluster_tasks(
    base: SentenceTransformer,
    tasks: Mapping[str, Task] | Sequence[Task],
    clusters: int = 3,
    examples: int = 100,
    seed: int = 0,
) -> pd.DataFrame:
    """Put data sets that the base embeds alike into clusters: with many of them, an expert a cluster costs less.

    A data set is the mean embedding of some of its queries beside the mean embedding of as many of their positives;
    k-means makes the clusters. Texts without a partner, as those of a classification, stand on both sides.

    Args:
        base: embeds the texts.
        tasks: as `load_tasks` gives them or as a list; the members of a pool are data sets of their own. Texts are of
            the training split, or of the test split for a task that is only ever scored.
        clusters: how many, from 1 to the number of data sets; the paper has 2 and 3.
        examples: drawn of each data set; one with fewer gives all it has.
        seed: of the draw, and of the starts of k-means.

    Returns:
        A row a data set: `dataset`, `cluster` (1, 2, ... in the order in which they first appear) and `examples` (how
        many were embedded).

    Raises:
        SpkitError: more clusters than data sets, no examples, or two data sets of one name.

    References:
        Li et al., arXiv 2410.15035, appendix D.

    Example:
        >>> from spkit import load_base, load_tasks
        >>> base, tasks = load_base("minilm-l3", max_seq_length=16), load_tasks("bundled", ["headline", "chat"])
        >>> cluster_tasks(base, tasks, clusters=2, examples=4)["cluster"].tolist()
        [1, 2]
    """
    from sklearn.cluster import KMeans

    sets = data_sets(tasks)
    check_clusters(clusters, list(sets))
    if examples < 1:
        raise SpkitError("`examples` must be positive.", f"Found {examples}.", "Pass 100, as the paper.")
    drawn = {name: _drawn(task, examples, spread_seed(seed, name, "clusters")) for name, task in sets.items()}
    means = np.stack([_mean_embedding(base, sets[name], sides) for name, sides in drawn.items()])
    settings: dict[str, Any] = {"n_init": 10, "random_state": seed}
    found = KMeans(clusters, **settings).fit_predict(means)
    numbers = {cluster: number for number, cluster in enumerate(dict.fromkeys(found.tolist()), start=1)}
    return pd.DataFrame(
        {
            "dataset": list(sets),
            "cluster": [numbers[cluster] for cluster in found.tolist()],
            "examples": [len(sides[0]) for sides in drawn.values()],
        }
    )


def check_clusters(clusters: int, names: Sequence[str]) -> None:
    """Raise where data sets cannot make so many clusters.

    Args:
        clusters: how many.
        names: of the data sets.

    Raises:
        SpkitError: fewer than one, or more than there are data sets.
    """
    if not 1 <= clusters <= len(names):
        raise SpkitError(
            "`clusters` must be from 1 to the number of data sets.",
            f"Found {clusters} for {len(names)} ({quoted(names) or 'none'}).",
            "Pass fewer clusters, or more tasks.",
        )


def _drawn(task: Task, examples: int, seed: int) -> tuple[list[str], list[str]]:
    """Texts of some examples: the queries, and their positives."""
    rows = loss_rows(task, "train") if task.trained else task.test
    order = torch.randperm(len(rows), generator=torch.Generator().manual_seed(seed))[:examples]
    chosen = rows.with_format(None).select(sorted(order.tolist()))
    columns = _sides(task)
    first, second = ([_one_text(task, cell) for cell in chosen[column][:]] for column in columns)
    return first, second


def _sides(task: Task) -> tuple[str, str]:
    """The columns of queries and of positives; one column of texts stands for both."""
    texts = list(task.definition.texts)
    if task.trained:
        columns = loss_columns(task, loss_rows(task, "train"))
        texts = [column for column in columns if column != task.target_column]
    return texts[0], texts[1] if len(texts) > 1 else texts[0]


def _one_text(task: Task, cell: object) -> str:
    """The text of a cell; of a list the first."""
    return next(iter(task.definition.texts_in(cell)))


def _mean_embedding(
    base: SentenceTransformer, task: Task, sides: tuple[list[str], list[str]]
) -> Float[np.ndarray, " features"]:
    """The mean of the queries' embeddings, then that of the positives'."""
    means = []
    for column, texts in zip(_sides(task), sides, strict=True):
        read = reading(base, task, column)
        embed = getattr(base, f"encode_{read.route}" if read.route else "encode")
        means.append(embed(texts, prompt=read.prompt, show_progress_bar=False).mean(axis=0))
    return np.concatenate(means)
