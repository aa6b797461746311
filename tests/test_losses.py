"""Losses against closed forms; batches and shares: deterministic, complete, and what each kind's loss needs."""

import dataclasses
import itertools

import pytest
import torch
from datasets import Dataset
from hypothesis import given, settings
from hypothesis import strategies as st
from sentence_transformers import SentenceTransformer
from torch import nn
from torch.utils.data import ConcatDataset

from spkit.errors import SpkitError
from spkit.tasks import Task
from spkit.training.batches import TaskBatches
from spkit.training.losses import LOSSES, task_loss
from spkit.training.samplers import batch_sampler, training_view
from spkit.training.sampling import ShareBatchSampler
from spkit.training.shares import shares, turns
from spkit.training.supervised_contrastive import SupervisedContrastiveLoss


def retrieval(rows: list[tuple[str, str]], **extra) -> Task:
    test = Dataset.from_dict({"anchor": ["what?"], "positive": ["that."]})
    train = Dataset.from_list([{"anchor": a, "positive": b} for a, b in rows])
    return Task(name="faq", kind="retrieval", train=train, dev=test, test=test, **extra)


def classification(labels: list[object]) -> Task:
    train = Dataset.from_dict({"text": [f"text {number}" for number in range(len(labels))], "label": labels})
    test = Dataset.from_dict({"text": ["one", "two"], "label": labels[-2:] if labels[-1] != labels[-2] else labels[:2]})
    return Task(name="topic", kind="classification", train=train, dev=test, test=test)


def first_batch(task: Task, model: SentenceTransformer, size: int = 8, seed: int = 3):
    """A batch as the loss gets it, its loss, and the normalised embeddings of each of its columns."""
    batches = TaskBatches(task, task.train, model, size, seed)
    batch = next(iter(batches))
    directions = []
    with torch.no_grad():
        loss = float(batches.loss_of(batch))
        for column in task.text_columns:
            features = {k.removeprefix(f"{column}_"): v for k, v in batch.items() if k.startswith(f"{column}_")}
            directions.append(nn.functional.normalize(model(features)["sentence_embedding"].double(), dim=1))
    return loss, directions, batch.get("label")


def test_retrieval_loss_is_the_in_batch_softmax_at_its_temperature(model, tasks) -> None:
    loss, (anchors, positives), _ = first_batch(tasks["faq"], model)
    similarities = anchors @ positives.T / 0.05
    expected = (similarities.logsumexp(1) - similarities.diagonal()).mean()
    assert loss == pytest.approx(float(expected), rel=1e-5)
    assert LOSSES["infonce"].temperature == 0.05


def test_sts_loss_is_cosent(model, tasks) -> None:
    loss, (one, other), scores = first_batch(tasks["likeness"], model)
    cosines = (one * other).sum(1) / 0.05
    wrong = [cosines[j] - cosines[i] for i, j in itertools.permutations(range(8), 2) if scores[i] > scores[j]]
    assert 0 < len(wrong) <= 28
    assert loss == pytest.approx(float(torch.stack([torch.zeros(()).double(), *wrong]).logsumexp(0)), rel=1e-5)


def test_classification_loss_is_supervised_contrastive(model, tasks) -> None:
    loss, (texts,), labels = first_batch(tasks["topic"], model)
    similarities = texts @ texts.T / 0.1
    terms = []
    for i in range(8):
        others = [j for j in range(8) if j != i]
        total = similarities[i, others].logsumexp(0)
        partners = [j for j in others if labels[j] == labels[i]]
        terms.append(torch.stack([total - similarities[i, j] for j in partners]).mean())
    assert loss == pytest.approx(float(torch.stack(terms).mean()), rel=1e-5)


def test_texts_without_a_partner_count_among_the_others_only(model) -> None:
    embeddings = torch.eye(3)
    loss = SupervisedContrastiveLoss(model, 1.0).compute_loss_from_embeddings([embeddings], torch.tensor([0, 0, 1]))
    assert float(loss) == pytest.approx(float(torch.log(torch.tensor(2.0))))


def test_a_task_brings_its_own_loss(model) -> None:
    task = retrieval([(f"a {i}", f"b {i}") for i in range(4)], loss=lambda given: nn.Identity())
    assert isinstance(task_loss(task, model), nn.Identity)


def rows_of(batches: TaskBatches, number: int) -> list[list[int]]:
    return list(batches.rows_of_pass(number))


@pytest.mark.parametrize("name", ["faq", "topic", "likeness"])
def test_order_is_the_seeds_and_every_pass_has_another(model, tasks, name) -> None:
    task = tasks[name]
    one, same = (TaskBatches(task, task.train, model, 8, seed=5) for _ in range(2))
    other = TaskBatches(task, task.train, model, 8, seed=77)
    assert rows_of(one, 0) == rows_of(same, 0) == rows_of(one, 0)
    assert rows_of(one, 0) != rows_of(one, 1)
    assert rows_of(one, 0) != rows_of(other, 0)
    for rows in rows_of(one, 0), rows_of(one, 1):
        flat = [row for batch in rows for row in batch]
        assert all(len(batch) == 8 for batch in rows)
        assert len(set(flat)) == len(flat) >= 40
    # An endless stream goes through the passes one after the other, whatever was drawn before.
    count = len(rows_of(one, 0))
    stream = [batch for batch, _ in zip(one, range(count + 2), strict=False)]
    expected = [*same.epoch(0), *itertools.islice(same.epoch(1), 2)]
    for left, right in zip(stream, expected, strict=True):
        assert left.keys() == right.keys()
        assert all(torch.equal(left[key], right[key]) for key in left if isinstance(left[key], torch.Tensor))


def test_retrieval_batches_hold_no_text_twice(model) -> None:
    rows = [(f"question {i}", f"answer {i // 2}") for i in range(40)]  # every answer stands twice
    task = retrieval(rows)
    for batch in rows_of(TaskBatches(task, task.train, model, 10, seed=0), 0):
        answers = [rows[row][1] for row in batch]
        assert len(set(answers)) == len(answers) == 10


def test_classification_batches_hold_two_of_each_label(model) -> None:
    task = classification(["x"] * 20 + ["y"] * 9 + ["z"] * 6 + ["alone"])
    batches = rows_of(TaskBatches(task, task.train, model, 8, seed=0), 0)
    assert len(batches) == 2  # pairs: 10, 4 and 3, of x no more than the runner-up has
    for batch in batches:
        labels = [task.train[row]["label"] for row in batch]
        counts = {label: labels.count(label) for label in set(labels)}
        assert len(counts) >= 2
        assert min(counts.values()) >= 2
        assert "alone" not in counts


def test_labels_have_the_same_number_in_every_split(tasks) -> None:
    task = tasks["topic"]
    part = task.dev.filter(lambda row: row["label"] != "colours")  # a part that lacks a class must not shift the others
    view = training_view(task, part)
    numbers = {"colours": 0, "places": 1, "things": 2}
    assert view["label"][:] == [numbers[label] for label in part["label"]]
    assert training_view(task, task.train)["label"][:] == [numbers[label] for label in task.train["label"]]


def test_training_view_has_the_losses_columns_in_their_order() -> None:
    rows = Dataset.from_dict({"score": [0.5, 1.0], "note": ["", ""], "sentence2": ["b", "d"], "sentence1": ["a", "c"]})
    test = Dataset.from_dict({"score": [0.0, 1.0], "sentence1": ["e", "g"], "sentence2": ["f", "h"]})
    task = Task(name="sts", kind="sts", train=rows, dev=rows, test=test)
    assert training_view(task, rows).column_names == ["sentence1", "sentence2", "score"]


def test_prompts_stand_in_front_of_their_column_only(model) -> None:
    rows = [(f"red {i}", f"blue {i}") for i in range(4)]
    plain = next(iter(TaskBatches(retrieval(rows), retrieval(rows).train, model, 4, 0)))
    task = retrieval(rows, prompts={"anchor": "where is "})
    prompted = next(iter(TaskBatches(task, task.train, model, 4, 0)))
    decode = model.tokenizer.batch_decode
    texts = decode(prompted["anchor_input_ids"], skip_special_tokens=True)
    assert texts == [f"where is {text}" for text in decode(plain["anchor_input_ids"], skip_special_tokens=True)]
    assert torch.equal(prompted["positive_input_ids"], plain["positive_input_ids"])


@pytest.mark.parametrize(("name", "count", "size"), [("faq", 5, 5), ("likeness", 7, 7), ("topic", 7, 6)])
def test_small_sets_give_smaller_batches(model, tasks, name, count, size) -> None:
    rows = tasks[name].train.select(range(count))  # of topic: labels x y z x y z x, of which six make pairs
    batches = TaskBatches(tasks[name], rows, model, 32, seed=0)
    assert batches.batch_size == size
    assert [len(batch) for batch in rows_of(batches, 0)] == [size]
    assert torch.isfinite(batches.loss_of(next(iter(batches))))


def test_sets_that_fill_no_batch_are_refused(model, tasks) -> None:
    with pytest.raises(SpkitError, match=r"at least 2 examples.*'faq'"):
        TaskBatches(tasks["faq"], tasks["faq"].train.select([0]), model, 8, 0)
    with pytest.raises(SpkitError, match=r"at least 4 examples.*batch size 3"):
        TaskBatches(tasks["topic"], tasks["topic"].train, model, 3, 0)
    lonely = classification(["a", "b", "c", "d", "e", "e"])
    with pytest.raises(SpkitError, match=r"two labels with two examples.*'topic'"):
        TaskBatches(lonely, lonely.train, model, 8, 0)
    same = retrieval([(f"question {i}", "one answer") for i in range(6)])
    with pytest.raises(SpkitError, match=r"At least 2 examples of a retrieval task.*Found 1 of 6"):
        TaskBatches(same, same.train, model, 4, 0)


def test_a_pass_of_the_default_sampler_depends_on_its_number_alone(tasks) -> None:
    """A training that goes on in its second pass must find the order that it would have had."""
    view = training_view(tasks["likeness"], tasks["likeness"].train)
    straight, resumed = (batch_sampler(view, 8, drop_last=True, seed=4) for _ in range(2))
    list(straight)
    straight.set_epoch(1)
    resumed.set_epoch(1)
    assert list(straight) == list(resumed)


def test_shares_by_rule() -> None:
    sizes = {"large": 900, "small": 100}
    assert shares(sizes, "proportional") == pytest.approx({"large": 0.9, "small": 0.1})
    assert shares(sizes, "uniform") == {"large": 0.5, "small": 0.5}
    assert shares(sizes, 1.0) == pytest.approx(shares(sizes, "proportional"))
    assert shares(sizes, 2.0) == pytest.approx({"large": 0.75, "small": 0.25})
    assert shares(sizes, 1e9)["small"] == pytest.approx(0.5)
    assert shares(sizes, {"small": 3.0, "large": 1.0}) == {"large": 0.25, "small": 0.75}
    assert list(shares(sizes, {"small": 3.0, "large": 1.0})) == ["large", "small"]


@pytest.mark.parametrize(
    "sampling", ["fair", 0.5, {"large": 1.0}, {"large": 1.0, "small": 0.0}, {"large": 1.0, "x": 1.0}]
)
def test_shares_that_mean_nothing_are_refused(sampling) -> None:
    with pytest.raises(SpkitError, match="Found"):
        shares({"large": 900, "small": 100}, sampling)


@settings(max_examples=60, deadline=None)
@given(
    weights=st.lists(st.floats(0.01, 1.0), min_size=1, max_size=6),
    count=st.integers(0, 200),
)
def test_turns_stay_within_one_batch_of_the_shares(weights, count) -> None:
    total = sum(weights)
    portions = [weight / total for weight in weights]
    given_so_far = [0] * len(portions)
    order = list(turns(portions, count))
    assert len(order) == count
    for turn, index in enumerate(order, start=1):
        given_so_far[index] += 1
        assert all(abs(done - portion * turn) < 1 + 1e-9 for done, portion in zip(given_so_far, portions, strict=True))
    assert sum(given_so_far) == count


def test_share_sampler_counts_offsets_and_starts_again() -> None:
    sets = [Dataset.from_dict({"sentence1": ["a"] * n, "sentence2": ["b"] * n, "score": [0.0] * n}) for n in (12, 8)]
    samplers = [batch_sampler(part, 4, drop_last=True, seed=1) for part in sets]
    sampler = ShareBatchSampler(ConcatDataset(sets), samplers, weights=[0.75, 0.25], steps=16)
    batches = list(sampler)
    assert len(batches) == len(sampler) == 16
    first = [batch for batch in batches if max(batch) < 12]
    second = [batch for batch in batches if min(batch) >= 12]
    assert (len(first), len(second)) == (12, 4)  # no batch mixes the two
    for part, size in ((first, 3), (second, 2)):
        passes = [sorted(itertools.chain(*part[i : i + size])) for i in range(0, len(part), size)]
        assert all(rows == passes[0] for rows in passes)  # every row once a pass
        assert part[:size] != part[size : 2 * size]  # in another order
    assert list(sampler) == batches


def test_share_sampler_gives_a_tasks_batches_to_its_parts() -> None:
    """Every other batch is one of the pool's, of which three in four are of its larger data set."""
    sets = [Dataset.from_dict({"sentence1": ["a"] * n, "sentence2": ["b"] * n, "score": [0.0] * n}) for n in (12, 4, 8)]
    samplers = [batch_sampler(part, 4, drop_last=True, seed=1) for part in sets]
    parts = [[0.75, 0.25], [1.0]]
    sampler = ShareBatchSampler(ConcatDataset(sets), samplers, weights=[0.5, 0.5], steps=16, parts=parts)
    order = ["large" if max(batch) < 12 else "small" if max(batch) < 16 else "other" for batch in sampler]
    assert order[1::2] == ["other"] * 8
    assert order[::2].count("large") == 6
    assert {"small"} <= set(order[:8]) & set(order[8:])


def test_share_sampler_refuses_a_set_without_a_batch() -> None:
    sets = [Dataset.from_dict({"sentence1": ["a"] * n, "sentence2": ["b"] * n, "score": [0.0] * n}) for n in (12, 3)]
    samplers = [batch_sampler(part, 4, drop_last=True, seed=1) for part in sets]
    with pytest.raises(SpkitError, match="fill a batch"):
        list(ShareBatchSampler(ConcatDataset(sets), samplers, weights=[0.5, 0.5], steps=4))


class ReadsTokensToo(nn.Module):
    """A loss that looks past the sentence embeddings, one column after the other."""

    def __init__(self, model: SentenceTransformer) -> None:
        super().__init__()
        self.model = model

    def forward(self, features, labels):
        left, right = (self.model(column) for column in features)
        difference = left["sentence_embedding"] - right["sentence_embedding"]
        return difference.square().sum() + left["token_embeddings"].square().mean()


@pytest.mark.parametrize(
    ("name", "loss"), [("faq", None), ("likeness", None), ("topic", None), ("likeness", ReadsTokensToo)]
)
def test_gradient_by_column_is_that_of_the_whole_graph(model, tasks, name, loss) -> None:
    task = dataclasses.replace(tasks[name], loss=loss)
    batches = TaskBatches(task, task.train, model, 8, seed=3)
    batch = next(iter(batches))
    model.zero_grad(set_to_none=True)
    whole = batches.loss_of(batch)
    (whole * 0.5).backward()
    expected = {key: p.grad for key, p in model.named_parameters() if p.grad is not None}
    model.zero_grad(set_to_none=True)
    assert batches.backward(batch, 0.5) == pytest.approx(float(whole.detach()))
    gradients = {key: p.grad for key, p in model.named_parameters() if p.grad is not None}
    model.zero_grad(set_to_none=True)
    assert gradients.keys() == expected.keys()
    assert any(gradient.any() for gradient in gradients.values())
    for key, gradient in expected.items():
        torch.testing.assert_close(gradients[key], gradient, rtol=1e-4, atol=1e-6)
