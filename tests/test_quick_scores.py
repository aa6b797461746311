"""The explorer's scores read the columns of a batch whichever way its loss embeds them."""

import pytest

import spkit
from spkit.explorer.quick_scores import QuickScores
from spkit.tasks import Task
from tests.tiny import WORDS, tiny_encoder, tiny_tasks


@pytest.mark.parametrize("negatives", [1, 2])
def test_negatives_do_not_change_the_score_among_the_positives(negatives) -> None:
    """The loss embeds positives and negatives in one piece; the score is that of the positives alone."""
    plain = tiny_tasks()["faq"]

    def with_negatives(rows):
        for number in range(negatives):
            rows = rows.add_column(f"negative_{number}", [f"{text} where" for text in rows["positive"]])
        return rows

    splits = {name: with_negatives(rows) for name, rows in plain.splits.items()}
    task = Task(name="faq", kind="retrieval", **splits)
    base = tiny_encoder(0, WORDS)
    vectors = spkit.TaskVectors.from_models(base, {"faq": tiny_encoder(1, WORDS), "other": tiny_encoder(2, WORDS)})
    scores, expected = (QuickScores(vectors, {"faq": one}, examples=16).at([0.3, 0.2]) for one in (task, plain))
    assert scores.loc["faq", "score"] == pytest.approx(expected.loc["faq", "score"])
    assert scores.loc["faq", "loss"] > expected.loc["faq", "loss"]
