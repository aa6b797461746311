"""Gradient conflict: against all gradients held at once, and on tasks whose true cosine is known."""

import inspect
import warnings

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer
from torch import nn

from spkit.conflict import _BLOCKS, ConflictReport, _estimate, gradient_conflict
from spkit.errors import SpkitError
from spkit.hashing import weights_hash
from spkit.layout import Layout
from spkit.losses import TaskBatches, task_loss
from spkit.models import copy_model
from spkit.tasks import Task
from tests.tiny import WORDS, tiny_encoder, tiny_tasks

SETTINGS = {"batches": 8, "batch_size": 6, "progress": False}


@pytest.fixture(scope="module")
def model() -> SentenceTransformer:
    return tiny_encoder(0, WORDS).eval()


@pytest.fixture(scope="module")
def tasks() -> dict[str, Task]:
    return tiny_tasks()


@pytest.fixture(scope="module")
def report(model, tasks) -> ConflictReport:
    return gradient_conflict(model, tasks, seed=4, **SETTINGS)


@pytest.fixture(scope="module")
def gradients(model, tasks) -> dict[str, np.ndarray]:
    """Every batch's whole gradient, [8, P], float64."""
    working, found = copy_model(model), {}
    layout = Layout.of(working)
    for name, task in tasks.items():
        batches, rows = TaskBatches(task, task.train, working, 6, 4), []
        for batch, _ in zip(batches, range(8), strict=False):
            batches.loss_of(batch).backward()
            zero = {key: torch.zeros_like(value) for key, value in working.named_parameters()}
            given = {key: value.grad for key, value in working.named_parameters() if value.grad is not None}
            rows.append(layout.flatten(zero | given).double().numpy())
            working.zero_grad(set_to_none=True)
        found[name] = np.stack(rows)
    return found


def by_pairs(a: np.ndarray, b: np.ndarray) -> dict[str, float]:
    """The definitions with every pair of batches written out."""

    def signal(g: np.ndarray) -> float:
        products = g @ g.T
        count = len(g)
        return sum(products[i, j] for i in range(count) for j in range(count) if i != j) / (count * (count - 1))

    mean_a, mean_b = a.mean(0), b.mean(0)
    return {
        "cosine": mean_a @ mean_b / np.linalg.norm(mean_a) / np.linalg.norm(mean_b),
        "corrected": mean_a @ mean_b / np.sqrt(signal(a) * signal(b)),
        "ceiling_a": signal(a) / (mean_a @ mean_a),
        "ceiling_b": signal(b) / (mean_b @ mean_b),
        "norm_a": np.linalg.norm(mean_a),
        "norm_b": np.linalg.norm(mean_b),
    }


def test_report_is_what_all_gradients_held_at_once_give(report, gradients) -> None:
    for a in gradients:
        for b in gradients:
            if a == b:
                assert report.cosine.loc[a, a] == pytest.approx(1)
                assert report.corrected.loc[a, a] == 1
                continue
            expected = by_pairs(gradients[a], gradients[b])
            assert report.cosine.loc[a, b] == pytest.approx(expected["cosine"], rel=1e-4)
            assert report.corrected.loc[a, b] == pytest.approx(expected["corrected"], rel=1e-4)
            assert report.ceiling[a] == pytest.approx(expected["ceiling_a"], rel=1e-4)
            assert report.norms[a] == pytest.approx(expected["norm_a"], rel=1e-4)


def test_modules_are_the_same_on_their_part_of_the_parameters(model, report, gradients) -> None:
    layout = Layout.of(model)
    assert set(report.by_module["module"]) == set(layout.modules)
    for row in report.by_module.to_dict("records"):
        places = np.concatenate([np.arange(p.start, p.stop) for p in layout.modules[row["module"]]])
        a, b = gradients[row["a"]][:, places], gradients[row["b"]][:, places]
        if not a.any():  # the pooler, which the loss does not use
            assert row["module"] == "pooler"
            assert row["norm_a"] == 0
            assert np.isnan(row["corrected"])
            continue
        with np.errstate(invalid="ignore"):
            expected = by_pairs(a, b)
        for key, value in expected.items():
            assert row[key] == pytest.approx(value, rel=1e-3, abs=1e-6, nan_ok=True)


def test_modules_sum_to_the_whole(report) -> None:
    for (a, b), rows in report.by_module.groupby(["a", "b"]):
        assert (rows["norm_a"] ** 2).sum() == pytest.approx(report.norms[a] ** 2, rel=1e-6)
        products = (rows["cosine"] * rows["norm_a"] * rows["norm_b"]).sum()
        assert products == pytest.approx(
            report.cosine.loc[a, b] * report.norms[a] * report.norms[b], rel=1e-6, abs=1e-9
        )


def test_summaries_are_the_mean_cosine_and_the_spread_of_norms(report, gradients) -> None:
    means = [g.mean(0) for g in gradients.values()]
    units = np.stack([mean / np.linalg.norm(mean) for mean in means])
    count = len(units)
    # ‖mean u‖² = 1/T + (T−1)/T · mean cosine (Mueller, Andrews, Dredze)
    assert np.sum(units.mean(0) ** 2) == pytest.approx(1 / count + (count - 1) / count * report.directional, rel=1e-4)
    norms = [np.linalg.norm(mean) for mean in means]
    assert report.magnitude == pytest.approx(np.std(norms) / np.mean(norms), rel=1e-4)
    assert (report.batches, report.batch_size) == (8, 6)


def test_gram_matrix_of_the_mean_gradients_is_torchjds(model, tasks, report) -> None:
    from torchjd.autojac import backward

    working = copy_model(model)
    parameters = [p for name, p in working.named_parameters() if "pooler" not in name]
    losses = []
    for task in tasks.values():
        batches = TaskBatches(task, task.train, working, 6, 4)
        terms = [batches.loss_of(batch) for batch, _ in zip(batches, range(8), strict=False)]
        losses.append(torch.stack(terms).mean())
    backward(losses, inputs=parameters, parallel_chunk_size=1)
    jacobian = torch.cat([p.jac.flatten(1) for p in parameters], dim=1).double()
    gram = (jacobian @ jacobian.T).numpy()
    norms = report.norms.to_numpy()
    np.testing.assert_allclose(report.cosine.to_numpy() * np.outer(norms, norms), gram, rtol=1e-3, atol=1e-5)


def half(task: Task, name: str, start: int) -> Task:
    return Task(**{**vars(task), "name": name, "train": task.train.select(range(start, len(task.train), 2))})


def test_two_halves_of_one_task_agree_once_noise_is_taken_out(model) -> None:
    """Disjoint examples of one distribution: the true cosine is 1, and mini-batch noise hides it from the raw one.

    Over 20 seeds the raw cosine was 0.51 to 0.70, the corrected one 0.99 on the mean with a standard deviation of 0.08:
    three standard errors of a mean of 6 are 0.1.
    """
    task = tiny_tasks((192, 24, 24))["likeness"]
    raw, corrected = [], []
    for seed in range(6):
        halves = [half(task, "one", 0), half(task, "other", 1)]
        found = gradient_conflict(model, halves, batches=8, batch_size=12, seed=10 * seed, progress=False)
        raw.append(found.cosine.loc["one", "other"])
        corrected.append(found.corrected.loc["one", "other"])
    assert max(raw) < 0.8
    assert np.mean(corrected) == pytest.approx(1, abs=0.1)


def negated(task: Task, name: str = "negated") -> Task:
    class Negated(nn.Module):
        def __init__(self, given: SentenceTransformer) -> None:
            super().__init__()
            self.loss = task_loss(task, given)

        def forward(self, features, labels):
            return -self.loss(features, labels)

    return Task(**{**vars(task), "name": name, "loss": Negated})


def test_a_task_against_its_negated_loss_conflicts_fully(model, tasks) -> None:
    """One seed and one name for both: the same batches, gradients of opposite sign, and no noise between them."""
    task = tasks["faq"]
    found = {}
    for name, other in (("same", task), ("negated", negated(task, task.name))):
        working = copy_model(model)
        batches = TaskBatches(other, other.train, working, 6, 0)
        for batch, _ in zip(batches, range(4), strict=False):
            batches.loss_of(batch).backward()
        found[name] = torch.cat([p.grad.flatten() for p in working.parameters() if p.grad is not None])
    torch.testing.assert_close(found["negated"], -found["same"])
    # Another seed each, as in a report.
    report = gradient_conflict(model, [task, negated(task)], batches=8, batch_size=8, seed=0, progress=False)
    assert report.cosine.loc["faq", "negated"] < -0.5
    assert report.corrected.loc["faq", "negated"] == pytest.approx(-1, abs=0.3)
    assert report.directional == pytest.approx(report.cosine.loc["faq", "negated"])


def inner(gradients: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Inner products of block sums and sums of squares, as the report keeps them; gradients [T, M, P]."""
    count, batches, size = gradients.shape
    sums = gradients.reshape(count, _BLOCKS, batches // _BLOCKS, size).sum(2).reshape(count * _BLOCKS, size)
    squares = (gradients**2).sum(2).reshape(count, _BLOCKS, batches // _BLOCKS).sum(2)
    return sums @ sums.T, squares


def test_correction_is_without_bias_on_gradients_whose_truth_is_known() -> None:
    """Means at cosine 0.6 under noise of nine times their squared length.

    400 draws of 16 batches: the raw cosine stands near 0.6 · 16 / (16 + 9) = 0.38, the corrected one near 0.6.
    """
    rng = np.random.default_rng(0)
    size = 400
    means = np.zeros((2, 1, size))
    means[0, 0, 0], means[1, 0, :2] = 1, (0.6, 0.8)
    raw, corrected, inside = [], [], 0
    for _ in range(400):
        estimate = _estimate(*inner(means + rng.normal(size=(2, 16, size)) * 3 / np.sqrt(size)), 16)
        raw.append(estimate.cosine[0, 1])
        corrected.append(estimate.corrected[0, 1])
        inside += estimate.low[0, 1] <= 0.6 <= estimate.high[0, 1]
    assert np.mean(raw) == pytest.approx(0.6 * 16 / 25, abs=0.02)
    assert np.mean(corrected) == pytest.approx(0.6, abs=0.03)
    assert inside / 400 > 0.85  # the jackknife over four blocks is rough


def test_interval_is_the_jackknife_over_blocks() -> None:
    rng = np.random.default_rng(1)
    gradients = rng.normal(size=(2, 8, 30)) * 0.3 + rng.normal(size=(2, 1, 30))
    estimate = _estimate(*inner(gradients), 8)
    left_out = [by_pairs(*np.delete(gradients, [2 * b, 2 * b + 1], axis=1))["corrected"] for b in range(_BLOCKS)]
    error = np.sqrt(3 / 4 * np.sum((np.array(left_out) - np.mean(left_out)) ** 2))
    value = by_pairs(*gradients)["corrected"]
    assert estimate.corrected[0, 1] == pytest.approx(value)
    assert estimate.low[0, 1] == pytest.approx(value - 3.182 * error)
    assert estimate.high[0, 1] == pytest.approx(value + 3.182 * error)


def test_pure_noise_is_undetermined_and_never_clipped() -> None:
    """Gradients that cancel: s is negative, and nothing is divided by its root."""
    gradients = np.ones((2, 8, 4))
    gradients[1] *= np.array([1, -1] * 4)[:, None]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        estimate = _estimate(*inner(gradients), 8)
    assert np.isnan(estimate.corrected[0, 1])
    assert np.isnan(estimate.corrected[1, 1])
    assert np.isnan(estimate.low[0, 1])
    assert estimate.corrected[0, 0] == 1
    assert estimate.ceiling[0] == pytest.approx(1)


def test_intervals_hold_their_estimates(report) -> None:
    corrected, low, high = (table.to_numpy() for table in (report.corrected, report.low, report.high))
    known = ~np.isnan(low)
    assert known.any()
    assert (low[known] <= corrected[known]).all()
    assert (corrected[known] <= high[known]).all()
    np.testing.assert_allclose(corrected, corrected.T)


def test_model_is_left_as_it_was_and_the_seed_decides(model, tasks, report) -> None:
    before = weights_hash(model)
    again = gradient_conflict(model, list(tasks.values()), seed=4, **SETTINGS)
    other = gradient_conflict(model, tasks, seed=50, **SETTINGS)
    assert weights_hash(model) == before
    assert all(parameter.grad is None for parameter in model.parameters())
    assert again.by_module.equals(report.by_module)
    assert not other.by_module.equals(report.by_module)


@pytest.mark.parametrize(
    ("names", "settings", "message"),
    [
        (["faq"], {}, r"at least two tasks.*'faq'"),
        ([], {}, "at least two tasks.*none"),
        (["faq", "topic"], {"batches": 6}, "multiple of 4.*Found 6"),
        (["faq", "topic"], {"batches": 0}, "multiple of 4"),
        (["faq", "topic"], {"batch_size": 66}, r"full batch.*'faq'.*batch of 64, at batch size 66"),
        (["faq", "topic"], {"batch_size": 1}, r"at least 2 examples"),
    ],
)
def test_bad_input(model, tasks, names, settings, message) -> None:
    with pytest.raises(SpkitError, match=message):
        inspect.unwrap(gradient_conflict)(model, [tasks[name] for name in names], **(SETTINGS | settings))
