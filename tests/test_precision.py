"""Searching and exploring in bfloat16: near to float32, and nothing but the forward pass changes."""

import pytest
import torch

from spkit import self_position, train
from spkit.errors import SpkitError
from spkit.explorer.quick_scores import QuickScores
from spkit.models.bases import copy_model
from spkit.searching.objective import Objective
from spkit.searching.precision import compute_in

AT = torch.tensor([[0.3, 0.5, 0.2]], dtype=torch.float64)


def test_outputs_are_float32_numbers_that_were_computed_in_bfloat16(base) -> None:
    model, features = copy_model(base), base.preprocess(["a red apple", "stone"])
    exact = model(dict(features))["sentence_embedding"]
    compute_in("bfloat16", model)
    near = model(dict(features))["sentence_embedding"]
    assert near.dtype == torch.float32
    assert not torch.equal(near, exact)
    torch.testing.assert_close(near, exact, rtol=0.05, atol=0.02)
    assert all(value.dtype == torch.float32 for value in model.parameters())


def test_losses_and_gradients_are_near_those_of_float32(trained, probe) -> None:
    exact, near = (Objective(trained, probe, 8, precision=name) for name in ("float32", "bfloat16"))
    for measure in ("step", "step", "whole"):
        one, other = getattr(exact, measure)(AT), getattr(near, measure)(AT)
        assert one.loss != other.loss
        assert one.loss == pytest.approx(other.loss, rel=0.02)
        cosine = torch.nn.functional.cosine_similarity(one.gradient.flatten(), other.gradient.flatten(), dim=0)
        assert float(cosine) > 0.98
    assert exact.task_losses(AT) == pytest.approx(near.task_losses(AT), rel=0.05)


def test_a_search_and_quick_scores_take_it(trained, probe, tasks) -> None:
    results = [
        self_position(trained, probe, steps=3, batch_size=8, precision=name, progress=False)
        for name in ("float32", "bfloat16")
    ]
    assert [result.settings["precision"] for result in results] == ["float32", "bfloat16"]
    torch.testing.assert_close(results[0].rows, results[1].rows, atol=0.02, rtol=0)
    exact, near = (QuickScores(trained, tasks, 16, precision=name) for name in ("float32", "bfloat16"))
    assert exact.fingerprint != near.fingerprint  # measured points are kept apart
    differences = (exact.at([0.3, 0.5, 0.2]) - near.at([0.3, 0.5, 0.2])).abs()
    assert differences["score"].max() < 10
    assert 0 < differences["loss"].max() < 0.1


def test_another_precision_is_refused(no_type_check, trained, probe) -> None:
    with pytest.raises(SpkitError, match=r"`precision` must be one of 'float32', 'bfloat16'. Found 'float16'"):
        self_position(trained, probe, precision="float16", progress=False)


def test_a_gpu_without_it_is_refused(monkeypatch, base, tasks) -> None:
    for name, answer in (("is_available", True), ("is_bf16_supported", False), ("get_device_name", "an old GPU")):
        monkeypatch.setattr(torch.cuda, name, lambda answer=answer: answer)
    for use in (
        lambda: compute_in("bfloat16", base),
        lambda: train(base, tasks["faq"], steps=1, batch_size=8, precision="bfloat16"),
    ):
        with pytest.raises(SpkitError, match=r"one that the GPU has\. Found 'bfloat16' on an old GPU"):
            use()
