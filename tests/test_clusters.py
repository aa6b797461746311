"""Clusters of data sets: those that the base embeds alike come together, whatever their order."""

import numpy as np
import pandas as pd
import pytest
from datasets import Dataset

import spkit
from spkit.errors import SpkitError
from spkit.tasks import Task
from tests.tiny import COLOURS, PLACES, THINGS, WORDS, tiny_encoder, tiny_tasks


@pytest.fixture(scope="module")
def base():
    return tiny_encoder(0, WORDS)


def about(name, words, seed, kind="retrieval"):
    """Texts of a few words only, so that their embeddings lie together."""
    random = np.random.default_rng(seed)
    texts = [" ".join(random.choice(words, 3)) for _ in range(60)]
    if kind == "classification":
        rows = Dataset.from_dict({"text": texts, "label": [text.split()[0] for text in texts]})
    else:
        rows = Dataset.from_dict({"anchor": texts, "positive": [f"{text} {words[0]}" for text in texts]})
    return Task(name=name, kind=kind, test=rows, role="unseen", **({"train": rows} if kind == "classification" else {}))


@pytest.fixture(scope="module")
def sets():
    made = [(f"{word}-{seed}", words, seed) for word, words in TOPICS.items() for seed in (1, 2)]
    return {name: about(name, words, seed) for name, words, seed in made}


TOPICS = {"colours": COLOURS, "things": THINGS, "places": PLACES}


def partition(table):
    return {frozenset(part) for _, part in table.groupby("cluster")["dataset"]}


def test_data_sets_of_one_subject_come_together(base, sets):
    table = spkit.cluster_tasks(base, sets, clusters=3, examples=40)
    assert list(table.columns) == ["dataset", "cluster", "examples"]
    assert table["dataset"].tolist() == list(sets)
    assert partition(table) == {frozenset({f"{word}-1", f"{word}-2"}) for word in TOPICS}
    assert (table["examples"] == 40).all()


def test_clusters_are_numbered_as_they_appear_and_the_order_does_not_matter(base, sets):
    table = spkit.cluster_tasks(base, sets, clusters=3)
    assert table.drop_duplicates("cluster")["cluster"].tolist() == [1, 2, 3]
    backwards = spkit.cluster_tasks(base, dict(reversed(sets.items())), clusters=3)
    assert backwards.drop_duplicates("cluster")["cluster"].tolist() == [1, 2, 3]
    assert partition(backwards) == partition(table)
    pd.testing.assert_frame_equal(table, spkit.cluster_tasks(base, list(sets.values()), clusters=3))


def test_all_kinds_are_embedded_and_a_small_set_gives_what_it_has(base):
    tasks = tiny_tasks((48, 24, 24)) | {"titles": about("titles", COLOURS, 3, "classification")}
    table = spkit.cluster_tasks(base, tasks, clusters=len(tasks), examples=50)
    assert sorted(table["cluster"]) == [1, 2, 3, 4]
    assert table.set_index("dataset")["examples"].to_dict() == {"faq": 48, "topic": 48, "likeness": 48, "titles": 50}
    assert (spkit.cluster_tasks(base, tasks, clusters=1)["cluster"] == 1).all()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"clusters": 0}, "`clusters` must be from 1 to the number of data sets. Found 0 for 6"),
        ({"clusters": 7}, "Found 7 for 6 .*'things-1'"),
        ({"examples": 0}, "`examples` must be positive. Found 0"),
    ],
)
def test_what_makes_no_clusters_is_refused(base, sets, given, message):
    with pytest.raises(SpkitError, match=f"(?s){message}"):
        spkit.cluster_tasks(base, sets, **given)
