"""Gradient conflict: every number of the report, against all gradients held at once."""

import tempfile
from itertools import islice

import numpy as np
import pytest
import torch

from spkit.diagnostics.conflict import ConflictReport, gradient_conflict
from spkit.hashing import weights_hash
from spkit.models.bases import copy_model
from spkit.models.layout import Layout
from spkit.training.batches import TaskBatches
from spkit.vectors import room
from tests.test_conflict_estimates import measured

SETTINGS = {"batches": 8, "batch_size": 6, "progress": False}


@pytest.fixture(scope="module")
def report(model, tasks) -> ConflictReport:
    return gradient_conflict(model, tasks, seed=4, **SETTINGS)


@pytest.fixture(scope="module")
def gradients(model, tasks) -> dict[str, np.ndarray]:
    """Every batch's whole gradient, [8, P], float64."""
    working, by_task = copy_model(model), {}
    layout = Layout.of(working)
    for name, task in tasks.items():
        batches, rows = TaskBatches(task, task.train, working, 6, 4), []
        for batch, _ in zip(batches, range(8), strict=False):
            batches.loss_of(batch).backward()
            zero = {key: torch.zeros_like(value) for key, value in working.named_parameters()}
            given = {key: value.grad for key, value in working.named_parameters() if value.grad is not None}
            rows.append(layout.flatten(zero | given).double().numpy())
            working.zero_grad(set_to_none=True)
        by_task[name] = np.stack(rows)
    return by_task


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


def test_intervals_and_words_are_those_of_blocks_of_neighbours(report, gradients) -> None:
    expected = measured(np.stack(list(gradients.values())))
    for name in ("corrected", "low", "high"):
        np.testing.assert_allclose(getattr(report, name), getattr(expected, name), rtol=1e-3)
    assert report.verdict.to_numpy().tolist() == expected.verdict


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


@pytest.mark.filterwarnings("ignore:There is a performance drop:UserWarning")  # torch's vmap, under torchjd
def test_gram_matrix_of_the_mean_gradients_is_torchjds(model, tasks) -> None:
    from torchjd.autogram import Engine

    chosen = {name: tasks[name] for name in ("faq", "likeness")}
    report = gradient_conflict(model, chosen, batches=4, batch_size=6, seed=4, progress=False)
    working = copy_model(model)
    engine = Engine(working, batch_dim=None)
    losses = []
    for task in chosen.values():
        batches = TaskBatches(task, task.train, working, 6, 4)
        losses.append(torch.stack([batches.loss_of(batch) for batch in islice(batches, 4)]).mean())
    gram = engine.compute_gramian(torch.stack(losses)).numpy()
    norms = report.norms.to_numpy()
    np.testing.assert_allclose(report.cosine.to_numpy() * np.outer(norms, norms), gram, rtol=1e-4)


def test_share_of_conflicting_pairs_is_counted_over_each_round_of_four(report, gradients) -> None:
    for a in gradients:
        for b in gradients:
            pairs = [
                gradients[a][i] @ gradients[b][j] < 0
                for start in (0, 4)
                for i in range(start, start + 4)
                for j in range(start, start + 4)
                if a != b or i != j
            ]
            assert report.conflicting.loc[a, b] == pytest.approx(np.mean(pairs))


def test_shares_of_conflicting_pairs_of_a_module_are_of_its_own_parameters(model, report, gradients) -> None:
    places = Layout.of(model).modules["layer.0.mlp"]
    columns = np.concatenate([np.arange(place.start, place.stop) for place in places])
    inner = gradients["faq"][:, columns] @ gradients["topic"][:, columns].T
    rows = report.by_module.set_index(["module", "a", "b"])
    share = np.mean([inner[:4, :4] < 0, inner[4:, 4:] < 0])
    assert rows.loc[("layer.0.mlp", "faq", "topic"), "conflicting"] == pytest.approx(share)


def test_pairs_are_the_tables_in_rows(report) -> None:
    assert len(report.pairs) == 3
    for row in report.pairs.to_dict("records"):
        for column in ("cosine", "corrected", "low", "high", "conflicting", "verdict"):
            assert row[column] == getattr(report, column).loc[row["a"], row["b"]]
        for task in ("a", "b"):
            assert row[f"norm_{task}"] == report.norms[row[task]]
            assert row[f"ceiling_{task}"] == report.ceiling[row[task]]
    assert report.verdict.equals(report.verdict.T)


def test_modules_have_their_own_directional_and_magnitude_conflict(report, gradients, model) -> None:
    table = report.conflict_by_module.set_index("module")
    assert list(table.index) == [*Layout.of(model).modules, "whole model"]
    whole = table.loc["whole model"]
    assert (whole["tasks"], whole["directional"], whole["magnitude"]) == (3, report.directional, report.magnitude)
    assert table.loc["pooler", "verdict"] == "no gradient"
    assert table.loc["pooler", "tasks"] == 0
    for module in ("embeddings", "layer.1.attention"):
        places = Layout.of(model).modules[module]
        columns = np.concatenate([np.arange(place.start, place.stop) for place in places])
        means = np.stack([g[:, columns].mean(0) for g in gradients.values()])
        norms = np.linalg.norm(means, axis=1)
        units = means / norms[:, None]
        row = table.loc[module]
        assert (row["tasks"], row["verdict"]) == (3, "measured")
        assert row["alignment"] == pytest.approx(np.linalg.norm(units.mean(0)), rel=1e-4)
        assert row["directional"] == pytest.approx(((units @ units.T).sum() - 3) / 6, rel=1e-3)
        assert row["magnitude"] == pytest.approx(np.std(norms) / np.mean(norms), rel=1e-4)


def test_more_gradients_than_memory_takes_go_to_a_mapped_file(model, tasks, report, monkeypatch, tmp_path) -> None:
    monkeypatch.setattr(room, "IN_MEMORY", 1000)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    mapped = []
    memmap = np.memmap
    monkeypatch.setattr(np, "memmap", lambda *args, **given: mapped.append(given["shape"]) or memmap(*args, **given))
    again = gradient_conflict(model, tasks, seed=4, **SETTINGS)
    assert again.by_module.equals(report.by_module)
    assert again.pairs.equals(report.pairs)
    assert mapped == [(4 * 8 * 3 * Layout.of(model).size,)]  # eight gradients a task
    assert not list(tmp_path.iterdir())


def test_dropout_is_off_unless_asked_for(model, tasks, report) -> None:
    training = copy_model(model).train()
    assert not report.dropout
    assert gradient_conflict(training, tasks, seed=4, **SETTINGS).by_module.equals(report.by_module)
    assert training.training
    before = torch.random.get_rng_state()
    dropped = gradient_conflict(model, tasks, seed=4, dropout=True, **SETTINGS)
    torch.manual_seed(99)
    again = gradient_conflict(model, tasks, seed=4, dropout=True, **SETTINGS)
    torch.random.set_rng_state(before)
    assert dropped.dropout
    assert dropped.by_module.equals(again.by_module)  # its masks come from the seed
    assert (dropped.ceiling < report.ceiling).all()  # and are noise
    assert not model.training


def test_random_states_are_left_as_they_were(model, tasks) -> None:
    states = np.random.get_state()[1].tolist(), torch.random.get_rng_state()
    gradient_conflict(model, tasks, dropout=True, **SETTINGS)
    assert np.random.get_state()[1].tolist() == states[0]
    assert torch.equal(torch.random.get_rng_state(), states[1])


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
