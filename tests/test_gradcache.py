"""Mini-batches of a batch (GradCache): the gradient of the whole, in less memory, where the loss has such a form."""

from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.utils import parameters_to_vector

import spkit
from spkit.errors import SpkitError
from spkit.training.batches import TaskBatches
from spkit.training.losses import LOSSES, make_loss, task_loss
from tests.tiny import WORDS, tiny_encoder, tiny_tasks


@pytest.fixture(scope="module")
def encoder():
    return tiny_encoder(words=WORDS)


def gradients(
    encoder: Any, task: spkit.Task, mini_batch_size: int | None, dropout: bool = False
) -> dict[str, torch.Tensor]:
    """Of the loss of one batch of 32, as a training takes it."""
    batches = TaskBatches(task, task.train, encoder, 32, 0)
    batch = next(iter(batches))
    loss = task_loss(task, encoder, mini_batch_size)
    encoder.zero_grad(set_to_none=True)
    encoder.train(dropout)
    torch.manual_seed(0)
    loss(batches.features_of(batch), None).backward()
    encoder.eval()
    found = {name: one.grad.clone() for name, one in encoder.named_parameters() if one.grad is not None}
    encoder.zero_grad(set_to_none=True)
    return found


@pytest.mark.parametrize("size", [1, 5, 8, 32, 100])
def test_the_gradient_is_that_of_the_whole_batch(encoder, size) -> None:
    task = tiny_tasks()["faq"].with_loss("infonce", 0.02)
    whole, parts = gradients(encoder, task, None), gradients(encoder, task, size)
    assert whole.keys() == parts.keys()
    norm = torch.cat([one.flatten() for one in whole.values()]).norm()
    for name, one in whole.items():
        assert float((one - parts[name]).norm() / norm) < 1e-5, name


def test_both_passes_drop_the_same(encoder) -> None:
    """Of a part, too, that is not the first: else the gradients of the second pass belong to other embeddings."""
    task = tiny_tasks()["faq"].with_loss("infonce", 0.05)
    one, other = (gradients(encoder, task, 8, dropout=True) for _ in range(2))
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_trainings_end_alike(encoder) -> None:
    for module in encoder.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    task = tiny_tasks()["faq"]
    settings: dict[str, Any] = {"steps": 4, "batch_size": 32, "progress": False, "learning_rate": 1e-3}
    whole = spkit.train(encoder, task, **settings)
    parts = spkit.train(encoder, task, mini_batch_size=8, **settings)
    joint = [task, tiny_tasks()["likeness"].with_loss("cosent")]
    for one, two in zip(whole.parameters(), parts.parameters(), strict=True):
        torch.testing.assert_close(one, two, rtol=0, atol=2e-5)
    narrow = spkit.train(encoder, task, mini_batch_size=8, precision="bfloat16", **settings)
    same = spkit.train(encoder, task, precision="bfloat16", **settings)
    start, one, two = (parameters_to_vector(model.parameters()).detach() for model in (encoder, same, narrow))
    assert float((one - two).norm()) < 0.2 * float((one - start).norm())
    with pytest.raises(SpkitError, match=r"part by part: 'infonce'.*Found 'cosent' for task 'likeness'"):
        spkit.train(encoder, joint, mini_batch_size=8, **settings)


def test_losses_without_such_a_form_are_refused(encoder) -> None:
    for name, loss in LOSSES.items():
        if loss.make_cached is None:
            with pytest.raises(SpkitError, match=rf"'infonce'\. Found the loss '{name}'"):
                make_loss(name, encoder, mini_batch_size=8)
    own = spkit.Task(**{**vars(tiny_tasks()["faq"]), "loss": lambda model: nn.Identity()})
    with pytest.raises(SpkitError, match="a loss of its own for task 'faq'"):
        spkit.train(encoder, own, steps=1, mini_batch_size=8, progress=False)
    with pytest.raises(SpkitError, match="whole number from 1"):
        spkit.train(encoder, tiny_tasks()["faq"], steps=1, mini_batch_size=0, progress=False)
