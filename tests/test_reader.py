"""Texts read apart by their length and once each: the same losses and gradients, of fewer tokens."""

from dataclasses import replace

import pytest
import torch
from datasets import Dataset
from sentence_transformers.sentence_transformer.losses import MatryoshkaLoss, MultipleNegativesRankingLoss

from spkit import Probe, count_costs
from spkit.models.bases import copy_model
from spkit.searching import reader
from spkit.searching.objective import Objective
from spkit.searching.reader import OnceEach, Reader, can_be_cut, read_plainly
from spkit.tasks import Task
from spkit.training.batches import TaskBatches
from tests.tiny import tiny_tasks

PARTS = {"train": slice(0, 64), "dev": slice(64, 72), "test": slice(72, 80)}
AT = torch.tensor([[0.3, 0.5, -0.2]], dtype=torch.float64)


def of_many_lengths(name: str = "faq", repeated: int = 0) -> Task:
    """Questions of one to thirty-two words; `repeated` of the answers stand twice."""
    words = [f"{letter}{number}" for letter in "abcdefgh" for number in range(8)]
    rows = []
    for number in range(80):
        answer = number - number % 2 if number < 2 * repeated else number
        rows.append({"anchor": " ".join([*words[: 1 + number // 5], str(number)]), "positive": f"answer {answer}"})
    parts = {split: Dataset.from_list(rows[part]) for split, part in PARTS.items()}
    return Task(name=name, kind="retrieval", **parts)


@pytest.fixture(scope="module")
def long_and_short() -> Probe:
    tasks = tiny_tasks() | {"faq": of_many_lengths()}
    return Probe({name: tasks[name] for name in tasks}, {name: task.train for name, task in tasks.items()}, "train", 0)


def plain(objective: Objective) -> Objective:
    """Without what is tested: the model itself reads the batches, as they are."""
    for part in objective.batches.values():
        part.loss.model = objective.model
    objective._plain = set()
    return objective


def test_a_reader_gives_the_models_own_embeddings(base) -> None:
    texts = ["a", "b c", *(" ".join("abcdefgh" * 3)[: 2 * n] for n in range(1, 20))]
    features = base.preprocess(texts)
    with torch.no_grad(), count_costs() as cost:
        ours = Reader(base)(dict(features))["sentence_embedding"]
    with torch.no_grad(), count_costs() as whole:
        theirs = base(dict(features))["sentence_embedding"]
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-6)
    assert (cost.texts, cost.tokens) == (whole.texts, whole.tokens)
    assert cost.padded_tokens < 0.8 * whole.padded_tokens


def test_texts_of_one_length_pass_in_one_piece(base) -> None:
    features, passes = base.preprocess(["a b", "c d", "e f"] * 8), []
    hook = base.register_forward_hook(lambda _model, given, _output: passes.append(given[0]["input_ids"].shape))
    Reader(base)(dict(features))
    hook.remove()
    assert passes == [features["input_ids"].shape]


@pytest.mark.parametrize("scale", ["mean", "gradient"])
def test_losses_and_gradients_are_those_of_whole_batches(trained, long_and_short, scale) -> None:
    ours, whole = Objective(trained, long_and_short, 16, scale), plain(Objective(trained, long_and_short, 16))
    assert ours._plain == set(long_and_short.tasks)
    whole.scales = ours.scales
    for measure in ("step", "step", "whole"):
        one, other = getattr(ours, measure)(AT), getattr(whole, measure)(AT)
        assert one.task_losses == pytest.approx(other.task_losses, rel=1e-5)
        torch.testing.assert_close(one.gradient, other.gradient, rtol=1e-3, atol=1e-6)
    assert ours.task_losses(AT) == pytest.approx(whole.task_losses(AT), rel=1e-5)


def test_the_gradient_of_the_token_table_names_the_rows_that_were_read(trained, long_and_short) -> None:
    objective, seen = Objective(trained, long_and_short, 16), []
    name = objective._token_rows._name
    projected = objective._projected
    objective._projected = lambda: seen.append(objective.model.get_parameter(name).grad) or projected()
    objective.step(AT)
    assert seen[0].is_sparse
    assert 0 < len(seen[0].coalesce().indices()[0]) < len(seen[0])


def test_a_text_that_stands_in_several_batches_is_read_once(trained) -> None:
    """Of two tasks on the same texts, and with an answer that stands twice."""
    tasks = {name: of_many_lengths(name, repeated=8) for name in ("faq", "topic")}
    probe = Probe(tasks, {name: task.train for name, task in tasks.items()}, "train", 0)
    objective, whole = Objective(trained, probe, 8), plain(Objective(trained, probe, 8))
    with count_costs() as cost:
        ours = objective.task_losses(AT)
    with count_costs() as plainly:
        theirs = whole.task_losses(AT)
    assert ours == pytest.approx(theirs, rel=1e-5)
    read = set()
    for part in objective.batches.values():
        read.update(text for rows in part.rows_of_pass(0) for row in part.examples(rows) for text in row.values())
    assert cost.texts == len(read) < 0.6 * plainly.texts
    assert cost.examples == plainly.examples == sum(objective.examples.values())


def test_prompts_and_types_keep_texts_apart(base) -> None:
    """The same words behind another prompt, whose length the pooling may leave out, are another text."""
    one, other = dict(base.preprocess(["a b", "c"])), dict(base.preprocess(["a b", "c"])) | {"prompt_length": 2}
    assert len(OnceEach(base, [one, one])) == 2
    assert len(OnceEach(base, [one, other])) == 4


def test_what_cannot_be_cut_is_read_as_it_is(base) -> None:
    features = dict(base.preprocess(["a b c d e f", "c"]))
    assert can_be_cut(features)
    assert not can_be_cut(features | {"attention_mask": features["attention_mask"].flip(1)})  # padded in front
    assert not can_be_cut(features | {"boxes": torch.zeros(2, 3, 4)})
    assert not can_be_cut({"input_ids": features["input_ids"].flatten(), "offsets": torch.tensor([0, 8])})


def test_a_loss_of_ones_own_is_asked_as_it_is(trained, tasks) -> None:
    """It may read more of a text than its embedding."""

    def nested(model):
        return MatryoshkaLoss(model, MultipleNegativesRankingLoss(model), [32, 8])

    task = replace(tasks["faq"], loss=nested)
    batches = TaskBatches(task, task.train, copy_model(trained.base), 8, 0)
    assert not read_plainly(batches)
    probe = Probe({"faq": task}, {"faq": task.train.select(range(16))}, "train", 0)
    objective = Objective(trained, probe, 8)
    assert objective._plain == set()
    assert objective.task_losses(AT)["faq"] > 0


def test_how_many_texts_pass_together_changes_nothing(trained, long_and_short, monkeypatch) -> None:
    expected = Objective(trained, long_and_short, 16).task_losses(AT)
    monkeypatch.setattr(reader, "_TOGETHER", 3)
    assert Objective(trained, long_and_short, 16).task_losses(AT) == pytest.approx(expected, rel=1e-5)
