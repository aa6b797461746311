"""The explorer's scores: of the texts as evaluation reads them, on any task that has a batch."""

import numpy as np
import pytest
from datasets import Dataset
from sklearn.metrics import ndcg_score

import spkit
from spkit.errors import SpkitError
from spkit.explorer.quick_scores import QuickScores
from spkit.tasks import Task
from tests.tiny import COLOURS, PLACES, THINGS, tiny_tasks


def scores_of(quick: QuickScores, name: str) -> float:
    return float(quick.at([0.3, 0.2, 0.1]).loc[name, "score"])


@pytest.mark.parametrize("negatives", [1, 2])
def test_given_negatives_are_documents_like_the_positives(vectors, negatives) -> None:
    """The loss embeds positives and negatives in one piece; the score is that of a search among both."""

    def with_negatives(rows):
        for number in range(negatives):
            rows = rows.add_column(f"negative_{number}", [f"{text} where" for text in rows["positive"]])
        return rows

    task = Task(
        name="faq", kind="retrieval", **{s: with_negatives(rows) for s, rows in tiny_tasks()["faq"].splits.items()}
    )
    quick, model = QuickScores(vectors, {"faq": task}, examples=16), vectors.at([0.3, 0.2, 0.1])
    stream = quick._batches["faq"].stream
    rows = stream.examples(next(stream.rows()))
    sides = [model.encode([row[column] for row in rows], normalize_embeddings=True) for column in task.text_columns]
    similarities = sides[0] @ np.concatenate(sides[1:]).T
    assert scores_of(quick, "faq") == pytest.approx(
        100 * ndcg_score(np.eye(*similarities.shape), similarities, k=10), rel=1e-4
    )


def several_positives() -> Task:
    """Eight queries with sixteen positives each, and a document that answers two queries."""
    rows = [
        {"anchor": f"where is {thing}", "positive": f"{thing} found {place} {colour}"}
        for thing in THINGS
        for place in PLACES[:4]
        for colour in COLOURS[:4]
    ]
    rows.append({"anchor": f"where is {THINGS[0]}", "positive": rows[-1]["positive"]})
    both = Dataset.from_list(rows)
    return Task(
        name="faq",
        kind="retrieval",
        train=both,
        dev=both,
        test=Dataset.from_list([{"anchor": "is", "positive": "and"}]),
    )


@pytest.mark.parametrize("examples", [2, 3, 4, 6, 8, 12, 24, 500])
def test_several_positives_of_a_query_work_with_any_number_of_examples(vectors, examples) -> None:
    quick = QuickScores(vectors, {"faq": several_positives()}, examples=examples)
    assert quick.examples["faq"] == min(examples, len(THINGS))
    assert 0 < scores_of(quick, "faq") <= 100


def test_few_of_many_classes_still_give_texts_of_one_label(vectors) -> None:
    """Of 40 labels 24 texts at random rarely share one: they are drawn in twos."""
    rows = [{"text": f"red {number}", "label": number % 40} for number in range(120)]
    parts = [Dataset.from_list(rows[start : start + 40]) for start in (0, 80)]
    dev = Dataset.from_list([{"text": f"blue {number}", "label": number % 40} for number in range(80)])
    task = Task(name="intents", kind="classification", train=parts[0], dev=dev, test=parts[1])
    assert QuickScores(vectors, {"intents": task}, examples=24).examples == {"intents": 24}
    with pytest.raises(SpkitError, match=r"dev examples of task 'intents'; leave it out.*two labels with two examples"):
        QuickScores(
            vectors, {"intents": Task(name="intents", kind="classification", train=dev, dev=parts[0], test=parts[1])}
        )


def test_an_error_names_no_parameter_that_explore_does_not_have(vectors) -> None:
    one = Dataset.from_list([{"anchor": "red", "positive": "blue"}])
    task = Task(name="faq", kind="retrieval", train=tiny_tasks()["faq"].train, dev=one, test=tiny_tasks()["faq"].test)
    with pytest.raises(SpkitError, match=r"'faq'.*Found 1 examples") as error:
        spkit.explore(vectors, {"faq": task}, progress=False)
    assert "batch_size" not in str(error.value)
    with pytest.raises(SpkitError, match="`examples` must be at least 2"):
        spkit.explore(vectors, {"faq": task}, examples=1, progress=False)
