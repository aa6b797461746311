"""Experts as teachers: no labels are read, and nothing is left to learn at the expert."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from datasets import Dataset

from spkit import Probe, self_position
from spkit.errors import SpkitError
from spkit.searching.objective import Objective
from spkit.searching.teachers import taught

QUICK = {"batch_size": 8, "progress": False}


def row_of(trained, name: str) -> torch.Tensor:
    return torch.tensor([[float(one == name) for one in trained.names]], dtype=torch.float64)


@pytest.mark.parametrize("form", ["mse", "kl"])
def test_the_expert_has_nothing_to_learn(trained, probe, form) -> None:
    objective = Objective(trained, taught(probe, trained, form), 8)
    for name in trained.names:
        losses = objective.task_losses(row_of(trained, name))
        assert losses[name] == pytest.approx(0.0, abs=1e-6)
        assert all(losses[other] > 1e-4 for other in trained.names if other != name)
    alone = Probe({"faq": probe.tasks["faq"]}, {"faq": probe.examples["faq"]}, "train", 0)
    step = Objective(trained, taught(alone, trained, form), 8).whole(row_of(trained, "faq"))
    assert step.gradient.abs().max() < 1e-4


def test_the_losses_are_those_of_the_cosines(trained, tasks) -> None:
    """One batch of 16 anchors, by hand."""
    rows = tasks["faq"].train.select(range(16))
    probe = Probe({"faq": tasks["faq"]}, {"faq": rows}, "train", 0)
    models = trained.at([0.2, 0.3, 0.1]), trained.at([1.0, 0.0, 0.0])
    ours, theirs = (m.encode(rows["anchor"][:], normalize_embeddings=True) for m in models)
    apart = ~np.eye(16, dtype=bool)
    cosines = [(one @ one.T)[apart].reshape(16, 15).astype(float) for one in (ours, theirs)]
    at = torch.tensor([[0.2, 0.3, 0.1]], dtype=torch.float64)
    found = Objective(trained, taught(probe, trained), 16).task_losses(at)["faq"]
    assert found == pytest.approx(((cosines[0] - cosines[1]) ** 2).mean(), rel=1e-3)
    shares = [np.exp(one / 0.1) / np.exp(one / 0.1).sum(1, keepdims=True) for one in cosines]
    expected = (shares[1] * np.log(shares[1] / shares[0])).sum(1).mean()
    found = Objective(trained, taught(probe, trained, "kl", 0.1), 16).task_losses(at)["faq"]
    assert found == pytest.approx(expected, rel=1e-2)


def test_labels_are_not_read(trained, tasks) -> None:
    rows = tasks["likeness"].train
    other = Dataset.from_dict(rows[:] | {"score": list(reversed(rows["score"][:]))})
    at = torch.full((1, 3), 0.3, dtype=torch.float64)
    losses = []
    for given in (rows, other):
        probe = Probe({"likeness": replace(tasks["likeness"], train=given)}, {"likeness": given}, "train", 0)
        losses.append(Objective(trained, taught(probe, trained), 16).task_losses(at)["likeness"])
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)


def test_a_search_goes_to_the_expert(trained, probe) -> None:
    alone = Probe({"topic": probe.tasks["topic"]}, {"topic": probe.examples["topic"]}, "train", 0)
    result = self_position(trained, taught(alone, trained), path="free", optimizer="lbfgs", steps=30, mu=0.0, **QUICK)
    expert = trained.flat(row_of(trained, "topic"))
    start, found = (float((trained.flat(at) - expert).norm()) for at in ([1 / 3] * 3, result.rows))
    assert found < 0.5 * start


def test_probes_of_other_teachers_are_others(trained, probe) -> None:
    hashes = [probe.fingerprint(), taught(probe, trained).fingerprint(), taught(probe, trained, "kl").fingerprint()]
    assert len(set(hashes)) == 3
    assert taught(probe, trained).fingerprint() == hashes[1]
    for half, plain in zip(taught(probe, trained).hold_back(0.5), probe.hold_back(0.5), strict=True):
        assert half.fingerprint() != plain.fingerprint()


@pytest.mark.parametrize(
    ("names", "given", "message"),
    [
        (["faq", "topic"], {}, "Found none of 'likeness' among 'faq', 'topic'"),
        (["faq", "topic", "likeness"], {"form": "l1"}, "`form` must be one of 'mse', 'kl'"),
        (["faq", "topic", "likeness"], {"temperature": 0.0}, "`temperature` must be positive"),
    ],
)
def test_bad_input(no_type_check, trained, probe, names, given, message) -> None:
    with pytest.raises(SpkitError, match=message):
        taught(probe, trained.select(names), **given)
