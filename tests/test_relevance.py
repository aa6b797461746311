"""Several answers to a query: none of them is a wrong answer in any batch, and what is ordinary stays as it was."""

import random
from dataclasses import replace

import pytest
import torch
from datasets import Dataset
from sentence_transformers.base.sampler import NoDuplicatesBatchSampler

import spkit
from spkit.errors import SpkitError
from spkit.hashing import spread_seed
from spkit.tasks import Task
from spkit.training.batches import TaskBatches
from spkit.training.relevance import relevance_of
from spkit.training.samplers import batch_sampler, training_view
from tests.tiny import tiny_tasks

OTHER = Dataset.from_list([{"anchor": "what", "positive": "that"}])


def retrieval(rows: list[dict[str, str]], **extra) -> Task:
    other = OTHER
    for column in set(rows[0]) - {"anchor", "positive"}:
        other = other.add_column(column, ["no"])
    return Task(name="faq", kind="retrieval", train=Dataset.from_list(rows), dev=other, test=other, **extra)


def wrong(rows: list[dict[str, str]], answers: dict[str, set[str]]) -> list[tuple[str, str]]:
    """Pairs of a query and a document of another example of the batch that answers it."""
    return [
        (one["anchor"], text)
        for place, one in enumerate(rows)
        for other_place, other in enumerate(rows)
        for column, text in other.items()
        if column != "anchor" and not (place == other_place and column == "positive")
        if text in answers[one["anchor"]]
    ]


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.filterwarnings("ignore:.*give as a negative")
def test_no_batch_holds_an_answer_as_a_wrong_one(seed) -> None:
    """Random bipartite relevances, with given negatives half of the time."""
    drawn, answers, rows = random.Random(seed), {}, []
    for _ in range(40):
        query, positive, negative = (f"query {drawn.randrange(8)}", *(f"document {drawn.randrange(12)}" for _ in "ab"))
        answers.setdefault(query, set()).add(positive)
        rows.append({"anchor": query, "positive": positive} | ({"negative": negative} if seed % 2 else {}))
    task = retrieval(rows)
    view = training_view(task, task.train)
    met = 0
    for size in (2, 3, 4):
        for batch in batch_sampler(view, size, drop_last=False, seed=seed, relevance=relevance_of(task)):
            assert not wrong([view[row] for row in batch], answers)
            met = max(met, len(batch))
    assert met > 1


def test_a_part_of_a_task_knows_the_answers_of_the_whole(model) -> None:
    """The probe draws (a, one) and (b, both); that `both` answers `a`, too, stands in the rest of the task."""
    rows = [{"anchor": "a", "positive": "one"}, {"anchor": "b", "positive": "both"}, {"anchor": "c", "positive": "two"}]
    task = retrieval([*rows, {"anchor": "a", "positive": "both"}])
    part = Dataset.from_list(rows)
    for seed in range(10):
        stream = TaskBatches(task, part, model, 2, seed)
        for number in range(5):
            for chosen in stream.rows_of_pass(number):
                assert {part[row]["anchor"] for row in chosen} != {"a", "b"}
    with pytest.raises(SpkitError, match=r"At least 2 examples.*Found 1 of 2"):
        TaskBatches(task, part.select([0, 1]), model, 2, 0)


def test_examples_that_contradict_themselves_are_left_out_and_counted(model) -> None:
    rows = [{"anchor": f"q {n}", "positive": f"d {n}", "negative": f"d {(n + 1) % 8}"} for n in range(8)]
    rows += [{"anchor": "q 0", "positive": "d 1", "negative": "d 3"}]  # so that the first row's negative answers q 0
    with pytest.warns(UserWarning, match="1 of 9 examples give as a negative what answers their query"):
        stream = TaskBatches(retrieval(rows), Dataset.from_list(rows), model, 2, 0)
    assert all(row["anchor"] != "q 0" or row["positive"] == "d 1" for row in stream._views[0])


def test_batches_of_ordinary_tasks_are_the_librarys() -> None:
    """One answer a query: the order is that of sentence-transformers' sampler, which published numbers rest on."""
    view = training_view(tiny_tasks()["faq"], tiny_tasks()["faq"].train)
    ours = batch_sampler(view, 8, drop_last=True, seed=4)
    seed = spread_seed(4)
    theirs = NoDuplicatesBatchSampler(
        view, 8, True, valid_label_columns=[], generator=torch.Generator().manual_seed(seed), seed=seed
    )
    for epoch in range(3):
        ours.set_epoch(epoch)
        theirs.set_epoch(epoch)
        assert list(ours) == list(theirs)


def test_a_search_takes_batches_as_large_as_different_queries_allow(model, two_vectors) -> None:
    rows = [{"anchor": f"query {n % 6}", "positive": f"document {n}"} for n in range(36)]
    task = retrieval(rows)
    assert TaskBatches(task, task.train, model, 32, 0).batch_size == 6
    probe = spkit.Probe.sample([task], 24)
    assert spkit.self_position(two_vectors, probe, steps=2, progress=False).history["loss"].notna().all()
    with pytest.raises(SpkitError, match=r"no full batch of 32 in the 36.*Lower `batch_size`"):
        spkit.train(model, task, steps=1, progress=False)
    trained = spkit.train(model, [task, replace(task, name="again")], steps=2, batch_size=6, progress=False)
    assert trained is not model
