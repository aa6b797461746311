"""Checkpoints as models: what `spkit.train(..., keep=...)` returns, killed or not, and what it refuses."""

from copy import deepcopy

import pytest
import torch
from transformers import TrainerCallback

from spkit.errors import SpkitError
from spkit.hashing import weights_hash
from spkit.models.bases import base_mark
from spkit.models.number_types import narrow, number_type
from spkit.training import train
from spkit.training.kept import step_of
from spkit.vectors.task_vectors import TaskVectors

QUICK = {"batch_size": 8, "learning_rate": 3e-3, "progress": False}


class Noted(TrainerCallback):
    """The hash of the weights after each step."""

    def __init__(self) -> None:
        self.after = {}

    def on_step_end(self, args, state, control, model, **kwargs):
        self.after[state.global_step] = weights_hash(model)


class Killer(TrainerCallback):
    """Ends a training after a step, as a killed process would."""

    def __init__(self, step):
        self.step = step

    def on_step_end(self, args, state, control, **kwargs):
        if state.global_step == self.step:
            raise KeyboardInterrupt


@pytest.fixture
def often(monkeypatch):
    """Checkpoints every 4 steps."""
    from spkit.training import trainer

    original = trainer._arguments

    def made(*given):
        arguments = original(*given)
        arguments.save_steps = 4
        return arguments

    monkeypatch.setattr(trainer, "_arguments", made)


@pytest.mark.parametrize("names", [["faq"], ["faq", "topic", "likeness"]], ids=len)
def test_each_kept_model_is_the_one_that_stood_at_its_step(base, tasks, names):
    noted = Noted()
    kept = train(base, [tasks[name] for name in names], steps=10, keep=[0.75, 0.5, 1.0], callbacks=[noted], **QUICK)
    assert list(kept) == [0.75, 0.5, 1.0]
    for share, step in ((0.5, 5), (0.75, 8), (1, 10)):
        assert weights_hash(kept[share]) == noted.after[step]
        assert not kept[share].training
        assert base_mark(kept[share]) == weights_hash(base)
    vectors = TaskVectors.from_models(base, {f"joint {share:g}": model for share, model in kept.items()})
    assert vectors.names == ("joint 0.75", "joint 0.5", "joint 1")
    alone = train(base, [tasks[name] for name in names], steps=10, **QUICK)
    assert weights_hash(alone) == weights_hash(kept[1])


def test_a_share_of_epochs_is_one_of_their_steps(base, tasks):
    noted = Noted()
    kept = train(base, tasks["faq"], epochs=1.0, keep=[0.25], callbacks=[noted], **QUICK)
    assert max(noted.after) == 8  # 64 examples
    assert {share: weights_hash(model) for share, model in kept.items()} == {0.25: noted.after[2]}


@pytest.mark.parametrize("killed_after", [2, 7, 9])
def test_a_killed_training_keeps_the_same_models(base, tasks, tmp_path, often, killed_after):
    """Before the first kept step, between both with a checkpoint before the first, and after both."""
    settings = QUICK | {"steps": 10, "keep": [0.5, 0.8, 1.0], "checkpoints": tmp_path}
    whole = train(base, tasks["faq"], **(settings | {"checkpoints": None}))
    with pytest.raises(KeyboardInterrupt):
        train(base, tasks["faq"], callbacks=[Killer(killed_after)], **settings)
    for _ in range(2):  # the second time from the checkpoint of the finished training
        again = train(base, tasks["faq"], **settings)
        assert {share: weights_hash(model) for share, model in again.items()} == {
            share: weights_hash(model) for share, model in whole.items()
        }


def test_a_kept_model_that_is_gone_is_said(base, tasks, tmp_path, often):
    settings = QUICK | {"steps": 10, "keep": [0.5], "checkpoints": tmp_path}
    train(base, tasks["faq"], **settings)
    (file,) = tmp_path.glob("*/kept-0.5/model.safetensors")
    file.write_bytes(b"")
    with pytest.raises(SpkitError, match=r"kept before its checkpoint. Found '.*kept-0.5' missing or damaged. Remove"):
        train(base, tasks["faq"], **settings)


def test_trainings_with_and_without_kept_models_have_checkpoints_of_their_own(base, tasks, tmp_path, often):
    settings = QUICK | {"steps": 6, "checkpoints": tmp_path}
    train(base, tasks["faq"], **settings)
    train(base, tasks["faq"], keep=[0.5], **settings)
    train(base, tasks["faq"], keep=[1.0], **settings)  # as without any
    assert len(list(tmp_path.iterdir())) == 2


def test_kept_models_have_the_type_of_the_base(base, tasks):
    half = deepcopy(base)
    narrow(half, torch.bfloat16)
    kept = train(half, tasks["faq"], steps=6, keep=[0.5, 1.0], **QUICK)
    assert [number_type(model) for model in kept.values()] == [torch.bfloat16, torch.bfloat16]


@pytest.mark.parametrize("keep", [[], [0.0], [1.5], [0.5, 0.5], [float("nan")], ["half"]])
def test_shares_that_are_none_are_refused(base, tasks, keep, no_type_check):
    with pytest.raises(SpkitError, match=r"`keep` must be different shares of the training, above 0 and up to 1"):
        train(base, tasks["faq"], steps=4, keep=keep, **QUICK)


def test_one_task_after_the_other_has_another_way(base, tasks):
    with pytest.raises(SpkitError, match=r"Found it with order='sequential'. Pass `after_each`"):
        train(base, tasks, steps=4, keep=[0.5], order="sequential", **QUICK)


@pytest.mark.parametrize(("steps", "keep"), [(4, [0.5, 0.55]), (1, [0.5]), (4, [0.1])])
def test_a_share_without_a_step_of_its_own_is_refused(base, tasks, steps, keep):
    with pytest.raises(SpkitError, match=r"Each share in `keep` must be a step of its own"):
        train(base, tasks["faq"], steps=steps, keep=keep, **QUICK)


class Early(TrainerCallback):
    """Stops a training after its second step, as early stopping does."""

    def on_step_end(self, args, state, control, **kwargs):
        control.should_training_stop = state.global_step == 2


def test_a_training_that_is_stopped_before_a_share_says_so(base, tasks):
    with pytest.raises(SpkitError, match=r"must reach every share in `keep`. Found it stopped before 0.5"):
        train(base, tasks["faq"], steps=8, keep=[0.5, 1.0], callbacks=[Early()], **QUICK)


def test_only_the_whole_is_the_last_step():
    assert [step_of(share, 10) for share in (0.04, 0.26, 0.999, 1.0)] == [0, 3, 9, 10]
