"""Examples that change between two models: each kind's values are those that its score is made of."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from datasets import Dataset
from scipy.stats import spearmanr
from sklearn.metrics import average_precision_score

import spkit
from spkit.errors import SpkitError
from spkit.explorer.changes import changed
from spkit.explorer.exploration import Exploration
from spkit.tasks import Task
from spkit.tasks.kinds import kinds
from spkit.tasks.kinds._nearest import cosines_to_means, nearest_means
from tests.experts import noisy
from tests.tiny import tiny_tasks

COLUMNS = [
    "task", "role", "kind", "text", "other", "target", "value", "a", "b", "change", "better", "answer_a", "answer_b",
]  # fmt: skip


def made_tasks() -> dict[str, Task]:
    """A task of each kind, with a test split alone where that is enough."""
    tasks = tiny_tasks()
    likeness, topic = (tasks[name].test.with_format(None) for name in ("likeness", "topic"))
    faq: list[Any] = tasks["faq"].test.to_list()
    pair = Dataset.from_dict(
        {
            "sentence1": likeness["sentence1"][:],
            "sentence2": likeness["sentence2"][:],
            "label": [int(score > 1) for score in likeness["score"][:]],
        }
    )
    ranked = [
        {
            "query": row["anchor"],
            "positive": row["positive"],
            "negative": [faq[(n + k) % len(faq)]["positive"] for k in (1, 2, 3)],
        }
        for n, row in enumerate(faq)
    ]
    tasks["same"] = Task(name="same", kind="pair", test=pair)
    tasks["ranked"] = Task(name="ranked", kind="reranking", test=Dataset.from_list(ranked))
    tasks["grouped"] = Task(name="grouped", kind="clustering", test=topic)
    return tasks


@pytest.fixture(scope="module")
def given() -> dict[str, Task]:
    return made_tasks()


@pytest.fixture(scope="module")
def other(base):
    return noisy(base, 7, 0.1)


@pytest.fixture(scope="module")
def table(base, other, given) -> pd.DataFrame:
    return spkit.changed_examples(base, other, given, split="test", most=None)


def of(table: pd.DataFrame, task: str) -> pd.DataFrame:
    return table[table["task"] == task]


def test_every_kind_has_its_rows(table, given) -> None:
    assert list(table.columns) == COLUMNS
    assert list(table["task"].unique()) == list(given)
    assert {task.kind for task in given.values()} == set(kinds())
    for name, task in given.items():
        rows = of(table, name)
        assert len(rows) == len(task.test)
        assert set(rows["role"]) == {"trained" if task.trained else "unseen"}
        assert set(rows["value"]) == {task.definition.example_value}
        assert rows["change"].abs().max() > 0
        np.testing.assert_allclose(rows["b"] - rows["a"], rows["change"])


def test_ranks_make_the_score_of_evaluation(table, base, other, given) -> None:
    for side, model in (("a", base), ("b", other)):
        scores = spkit.evaluate(model, [given["faq"], given["ranked"]], resamples=2).set_index("task")["score"]
        ranks = of(table, "faq")[side]
        assert 100 * np.where(ranks <= 10, 1 / np.log2(ranks + 1), 0).mean() == pytest.approx(scores["faq"], abs=0.01)
        assert 100 * (1 / of(table, "ranked")[side]).mean() == pytest.approx(scores["ranked"], abs=0.01)


def test_similarities_make_the_score_of_evaluation(table, base, other, given) -> None:
    for side, model in (("a", base), ("b", other)):
        scores = spkit.evaluate(model, [given["likeness"], given["same"]], resamples=2).set_index("task")["score"]
        likeness, same = of(table, "likeness"), of(table, "same")
        correlation: Any = spearmanr(likeness[side], likeness["target"].astype(float))[0]
        assert 100 * correlation == pytest.approx(scores["likeness"], abs=0.01)
        precision = average_precision_score(same["target"].astype(int), same[side])
        assert 100 * precision == pytest.approx(scores["same"], abs=0.01)


@pytest.mark.parametrize("task", ["topic", "grouped"])
def test_answers_make_the_quick_score(table, base, other, given, task) -> None:
    rows, test = of(table, task), given[task].test.with_format(None)
    for side, model in (("a", base), ("b", other)):
        share = (rows[f"answer_{side}"] == rows["target"]).mean()
        assert share == pytest.approx(nearest_means(model.encode(test["text"][:]), np.array(test["label"][:])))
        assert ((rows[side] > 0) == (rows[f"answer_{side}"] == rows["target"])).all()


def test_what_changed_most_comes_first(table) -> None:
    ratio = np.abs(np.log(of(table, "faq")["b"].to_numpy() / of(table, "faq")["a"].to_numpy()))
    assert (np.diff(ratio) <= 0).all()
    assert of(table, "likeness")["change"].abs().is_monotonic_decreasing
    changed = of(table, "topic")["answer_a"] != of(table, "topic")["answer_b"]
    assert changed.any()
    assert changed.astype(int).is_monotonic_decreasing
    assert of(table, "topic")[~changed]["change"].abs().is_monotonic_decreasing


def test_better_is_what_is_nearer_to_the_target(table) -> None:
    faq = of(table, "faq")
    assert ((faq["better"] == "b") == (faq["b"] < faq["a"])).all()
    assert (faq[faq["better"] == ""]["change"] == 0).all()
    same = of(table, "same")
    sign = np.where(same["target"].astype(int) == 1, 1, -1)
    assert ((same["better"] == "b") == (sign * same["change"] > 0)).all()
    topic = of(table, "topic")
    assert ((topic["better"] == "a") == (topic["change"] < 0)).all()


def test_the_document_in_the_first_place_is_right_where_the_rank_is_one(table) -> None:
    for name in ("faq", "ranked"):
        rows = of(table, name)
        assert ((rows["answer_a"] == rows["target"]) == (rows["a"] == 1)).all()


def test_the_two_models_change_places(base, other, given) -> None:
    tasks = [given["faq"], given["likeness"]]
    there, back = (spkit.changed_examples(*pair, tasks, most=None) for pair in ((base, other), (other, base)))
    turned = back.rename(columns={"a": "b", "b": "a", "answer_a": "answer_b", "answer_b": "answer_a"})
    turned["change"], turned["better"] = -turned["change"], turned["better"].map({"a": "b", "b": "a", "": ""})
    keys = ["task", "text", "other"]
    pd.testing.assert_frame_equal(
        there.sort_values(keys, ignore_index=True), turned[COLUMNS].sort_values(keys, ignore_index=True)
    )


def test_one_model_against_itself_changes_nothing(base, given) -> None:
    table = spkit.changed_examples(base, base, given, most=3)
    assert (table["change"] == 0).all()
    assert (table["better"] == "").all()
    assert table.groupby("task").size().eq(3).all()


def test_dev_is_looked_at_where_one_may_choose(base, other, given) -> None:
    table = spkit.changed_examples(base, other, given, most=None)
    assert set(of(table, "faq")["text"]) == set(given["faq"].dev["anchor"])
    assert set(of(table, "same")["text"]) == set(given["same"].test["sentence1"])  # unseen


def test_models_stay_in_training_mode(base, given) -> None:
    model = noisy(base, 1).train()
    spkit.changed_examples(model, model, given["topic"])
    assert model.training


def test_a_corpus_and_graded_documents_are_searched(base) -> None:
    test = Dataset.from_dict(
        {"anchor": ["red apple", "red apple"], "positive": ["green river", "red apple north"], "relevance": [1, 2]}
    )
    corpus = Dataset.from_dict({"text": ["red apple", "blue cloud"]})
    task = Task(name="graded", kind="retrieval", test=test, corpus=corpus)
    row = spkit.changed_examples(base, base, task).iloc[0]
    assert row["target"] == "red apple north"  # of the highest grade
    assert row["answer_a"] == "red apple"  # of the corpus
    assert row["a"] == 2


def test_a_text_without_another_of_its_label_has_no_margin(base, other) -> None:
    rows = Dataset.from_dict({"text": ["red", "green", "north", "south", "paper"], "label": ["c", "c", "p", "p", "t"]})
    table = spkit.changed_examples(base, other, Task(name="lone", kind="clustering", test=rows))
    assert table["text"].iloc[-1] == "paper" or table["answer_a"].iloc[-1] == table["answer_b"].iloc[-1]
    lone = table[table["text"] == "paper"].iloc[0]
    assert np.isnan([lone["a"], lone["b"], lone["change"]]).all()
    assert lone["better"] == ""


def test_cosines_leave_each_text_out_of_its_own_mean() -> None:
    drawn = np.random.default_rng(0)
    texts, labels = drawn.normal(size=(12, 5)), drawn.integers(3, size=12)
    classes, cosines = cosines_to_means(texts, labels)
    units = texts / np.linalg.norm(texts, axis=1, keepdims=True)
    for number in range(12):
        for place, label in enumerate(classes):
            mean = units[(labels == label) & (np.arange(12) != number)].mean(0)
            assert cosines[number, place] == pytest.approx(mean @ units[number] / np.linalg.norm(mean))


@pytest.mark.parametrize(
    ("settings", "rule"),
    [
        ({"tasks": []}, "must hold at least one task"),
        ({"tasks": ["STSBenchmark"]}, "in tasks of spkit"),
        ({"most": 0}, "`most` must be 1 or more"),
        ({"batch_size": 0}, "`batch_size` must be positive"),
        ({"split": "validation"}, "`split` must be one that task 'faq' has"),
    ],
)
def test_wrong_input_is_refused(base, given, settings, rule, no_type_check) -> None:
    arguments: dict[str, Any] = {"tasks": [given["faq"]], **settings}
    with pytest.raises(SpkitError, match=rule):
        spkit.changed_examples(base, base, **arguments)


def test_a_broken_model_is_refused(base, given) -> None:
    broken = noisy(base, 1)
    with torch.no_grad():
        next(broken.parameters()).fill_(torch.nan)
    with pytest.raises(SpkitError, match="Embeddings must be finite"):
        spkit.changed_examples(base, broken, given["faq"])


# The nearest documents


def test_the_nearest_documents_stand_side_by_side(base, other) -> None:
    documents = ["red apple", "north garden", "blue violin", "white cloud"]
    table = spkit.nearest("a red river", {"a": base, "b": other}, documents, k=3)
    assert list(table.columns) == ["place", "document:a", "similarity:a", "document:b", "similarity:b"]
    assert table["place"].tolist() == [1, 2, 3]
    for name, model in (("a", base), ("b", other)):
        query, known = (model.encode(given, normalize_embeddings=True) for given in (["a red river"], documents))
        order = np.argsort(-(query @ known.T)[0])[:3]
        assert table[f"document:{name}"].tolist() == [documents[number] for number in order]
        np.testing.assert_allclose(table[f"similarity:{name}"], (query @ known.T)[0][order], atol=1e-6)


def test_a_task_gives_its_documents(base, given) -> None:
    faq = given["faq"]
    table = spkit.nearest("where", {"a": base}, faq, k=1000)
    assert set(table["document:a"]) == set(faq.dev["positive"])
    topics = spkit.nearest("where", {"a": base}, given["topic"], k=1000, split="test")
    assert set(topics["document:a"]) == set(given["topic"].test["text"])
    ranked = spkit.nearest("where", {"a": base}, given["ranked"], k=1000)
    assert set(ranked["document:a"]) >= set(given["faq"].test["positive"])


@pytest.mark.parametrize(
    ("settings", "rule"),
    [
        ({"text": " "}, "`text` must be"),
        ({"models": {}}, "`models` must be models by name"),
        ({"documents": []}, "`documents` must be texts"),
        ({"documents": "red apple"}, "`documents` must be texts"),
        ({"documents": ["red", ""]}, "`documents` must be texts"),
        ({"k": 0}, "`k` must be 1 or more"),
        ({"split": "dev"}, "`split` is of a task"),
    ],
)
def test_wrong_searches_are_refused(base, settings, rule, no_type_check) -> None:
    arguments: dict[str, Any] = {"text": "red", "models": {"a": base}, "documents": ["red apple"], **settings}
    with pytest.raises(SpkitError, match=rule):
        spkit.nearest(**arguments)


# In the explorer


def test_the_explorer_compares_its_position_with_a_reference(vectors) -> None:
    tasks = tiny_tasks()
    exploration = Exploration(vectors, tasks, joint=noisy(vectors.base, 3), points=8, examples=16, progress=False)
    here = [0.5, 0.2, 1.0]
    table = changed(exploration, "average", here, most=4)
    expected = spkit.changed_examples(vectors.at([1 / 3] * 3), vectors.at(here), tasks, most=4)
    pd.testing.assert_frame_equal(table, expected)
    joint, model = exploration.model("joint"), vectors.at(here)
    pd.testing.assert_frame_equal(
        changed(exploration, "joint", model, most=2), spkit.changed_examples(joint, model, tasks, most=2)
    )
    exploration.close()
