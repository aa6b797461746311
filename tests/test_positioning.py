"""The search: exact gradients, lower losses, the same history for the same seed, and a result that can be rebuilt."""

import inspect
import json
import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from datasets import Dataset
from sentence_transformers import SentenceTransformer
from torch import nn

from spkit.errors import SpkitError
from spkit.hashing import weights_hash
from spkit.searching.objective import Objective
from spkit.searching.paths import SlerpPath
from spkit.searching.probe import Probe
from spkit.searching.self_position import self_position
from spkit.tasks import Task
from spkit.vectors.task_vectors import TaskVectors

QUICK = {"batch_size": 8, "progress": False}
WHOLE = {"batch_size": 32, "progress": False}  # one batch is a task's whole share of the probe: no noise


@pytest.fixture(scope="module")
def vectors(trained) -> TaskVectors:
    return trained


@pytest.fixture(scope="module")
def probe(large_probe) -> Probe:
    return large_probe


@pytest.fixture(scope="module")
def result(vectors, probe):
    return self_position(vectors, probe, steps=12, learning_rate=0.1, **QUICK)


def loss_of(vectors: TaskVectors, probe: Probe, coefficients) -> float:
    objective = Objective(vectors, probe, 32, "gap")
    return objective.scaled(objective.task_losses(vectors.coefficients(coefficients)))


@pytest.mark.parametrize("scale", ["mean", "gap"])
@pytest.mark.parametrize("granularity", ["model", "module"])
def test_gradient_by_projection_is_the_finite_difference(vectors, probe, scale, granularity) -> None:
    """Central differences in float32 weights: step 1e-2, third-order error and rounding below two in a hundred."""
    modules = len(vectors.modules) if granularity == "module" else 1
    generator = torch.Generator().manual_seed(0)
    at = 0.3 + 0.1 * torch.rand(modules, 3, generator=generator, dtype=torch.float64)

    def step(coefficients: torch.Tensor):
        return Objective(vectors, probe, 8, scale, seed=5).step(coefficients)  # a new one: the same first batch

    gradient = step(at).gradient
    assert gradient.shape == (len(vectors.modules), 3)
    if granularity == "model":
        gradient = gradient.sum(0, keepdim=True)
    places = [(row, column) for row in range(0, modules, 2) for column in range(3)]
    for row, column in places:
        shift = torch.zeros_like(at)
        shift[row, column] = 1e-2
        difference = (step(at + shift).loss - step(at - shift).loss) / 2e-2
        assert float(gradient[row, column]) == pytest.approx(difference, rel=0.02, abs=2e-3)


def test_module_wise_search_follows_each_modules_own_gradient(vectors, probe) -> None:
    result = self_position(
        vectors, probe, path="free", granularity="module", optimizer="sgd", learning_rate=0.1, steps=1, mu=0.0, **QUICK
    )
    start = torch.full((len(vectors.modules), 3), 1 / 3, dtype=torch.float64)
    gradient = Objective(vectors, probe, 8, seed=0).step(start).gradient
    expected = start - 0.1 * gradient
    pooler = vectors.modules.index("pooler")  # unused: no gradient moves it, so its vectors are zero
    expected[pooler] = expected[[row for row in range(len(expected)) if row != pooler]].mean(0)
    torch.testing.assert_close(result.rows, expected)


@pytest.mark.parametrize("path", ["slerp", "simplex", "free"])
@pytest.mark.parametrize("granularity", ["model", "module"])
def test_every_path_lowers_the_objective(vectors, probe, path, granularity) -> None:
    result = self_position(
        vectors,
        probe,
        path=path,
        granularity=granularity,
        optimizer="adam",
        steps=12,
        learning_rate=0.05,
        mu=0.0,
        **WHOLE,
    )
    average = [1 / 3] * 3
    assert loss_of(vectors, probe, result.rows) < loss_of(vectors, probe, average) - 0.005
    first = result.history.iloc[0]
    assert [first[f"coefficient:{name}"] for name in vectors.names] == pytest.approx(average, abs=1e-3)
    if path != "free":
        assert (result.rows > 0).all()


def test_plain_gradient_descent_lowers_the_objective_too(vectors, probe) -> None:
    result = self_position(vectors, probe, optimizer="sgd", learning_rate=0.02, steps=12, mu=0.0, **WHOLE)
    assert loss_of(vectors, probe, result.rows) < loss_of(vectors, probe, [1 / 3] * 3)
    assert result.settings["learning_rate"] == 0.02


def test_the_seed_decides_the_history(vectors, probe, result) -> None:
    again = self_position(vectors, probe, steps=12, learning_rate=0.1, **QUICK)
    other = self_position(vectors, probe, steps=12, learning_rate=0.1, seed=100, **QUICK)
    pd.testing.assert_frame_equal(again.history.drop(columns="seconds"), result.history.drop(columns="seconds"))
    assert torch.equal(again.rows, result.rows)
    assert not other.history["loss"].equals(result.history["loss"])


def test_history_shows_the_search(vectors, result) -> None:
    history = result.history
    expected = ["step", "loss", *(f"loss:{n}" for n in vectors.names), *(f"coefficient:{n}" for n in vectors.names)]
    assert history.columns.tolist() == [*expected, "gradient_norm", "seconds", "examples"]
    assert history["step"].tolist() == list(range(12))
    assert history["seconds"].is_monotonic_increasing
    scales = result.settings["scales"]
    mean = sum(history[f"loss:{name}"] / scales[name] for name in vectors.names) / 3
    length = (history["loss"] - mean) / result.settings["mu"]
    assert (length > 0).all()


def test_mu_shortens_the_position(vectors, probe) -> None:
    lengths = []
    for mu in (0.0, 0.5):
        result = self_position(vectors, probe, mu=mu, path="simplex", steps=12, learning_rate=0.1, **QUICK)
        lengths.append(float(result.rows.abs().sum()))
    assert lengths[1] < lengths[0] - 0.1


@pytest.mark.parametrize("path", ["slerp", "raw"])
def test_the_papers_start_is_the_fold_at_ones(vectors, probe, path) -> None:
    row = self_position(vectors, probe, path=path, start="slerp", steps=1, **QUICK).history.iloc[0]
    fold = SlerpPath().fold(torch.ones(3, dtype=torch.float64), vectors.gram())
    assert [row[f"coefficient:{name}"] for name in vectors.names] == pytest.approx(fold.tolist(), rel=1e-9)


def test_logarithms_and_raw_numbers_take_one_first_step(vectors, probe) -> None:
    """From a_i = λ = 1 by Adam at a small rate: what differs is of second order in the rate."""
    given = {"start": "slerp", "optimizer": "adam", "learning_rate": 5e-3, "steps": 1, "mu": 0.05, **QUICK}
    logs, raw = (self_position(vectors, probe, path=path, **given).rows for path in ("slerp", "raw"))
    moved = float((logs - SlerpPath().fold(torch.ones(3).double(), vectors.gram())).abs().max())
    assert moved > 1e-3
    assert float((logs - raw).abs().max()) < 1e-2 * moved


def test_start_is_where_the_search_starts(vectors, probe) -> None:
    start = {"faq": 0.6, "topic": 0.1, "likeness": 0.4}
    for path in ("slerp", "simplex", "free"):
        result = self_position(vectors, probe, path=path, start=start, steps=1, **QUICK)
        row = result.history.iloc[0]
        assert {name: row[f"coefficient:{name}"] for name in start} == pytest.approx(start, abs=1e-6)


def test_validation_returns_the_position_that_is_best_on_it(vectors, tasks, probe) -> None:
    validation = Probe.sample(tasks, size=48, split="dev", seed=1)
    # A rate at which the search overshoots, so that the last position is not the best one.
    settings = {"path": "free", "optimizer": "sgd", "learning_rate": 1.5, "steps": 8, "mu": 0.0} | QUICK
    result = self_position(vectors, probe, validation=validation, validate_every=2, **settings)
    looked = result.history["validation"].dropna()
    assert looked.index.tolist() == [1, 3, 5, 7]
    objective = Objective(vectors, validation, 8)
    best = min(looked.min(), result.settings["validation_at_start"])
    assert objective.scaled(objective.task_losses(result.rows)) == pytest.approx(best, rel=1e-6)
    last = self_position(vectors, probe, **settings).rows
    assert objective.scaled(objective.task_losses(last)) == pytest.approx(looked.iloc[-1], rel=1e-6)
    assert looked.min() < looked.iloc[-1]


def test_an_interrupted_search_returns_what_it_has(vectors, probe, monkeypatch) -> None:
    whole = self_position(vectors, probe, path="free", steps=6, **QUICK)
    original, calls = Objective.step, []

    def interrupted(self, coefficients, number):
        calls.append(1)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return original(self, coefficients, number)

    monkeypatch.setattr(Objective, "step", interrupted)
    result = self_position(vectors, probe, path="free", steps=6, **QUICK)
    assert result.settings["interrupted"] is True
    assert whole.settings["interrupted"] is False
    assert len(result.history) == 3
    after = whole.history.iloc[3]  # where the fourth step would have looked
    assert result.coefficients.tolist() == pytest.approx([after[f"coefficient:{name}"] for name in vectors.names])
    calls[:] = [1, 1, 1]  # the next call is the fourth: nothing was done yet
    at_once = self_position(vectors, probe, path="free", steps=6, **QUICK)
    assert at_once.coefficients.tolist() == pytest.approx([1 / 3] * 3)
    assert len(at_once.history) == 0


def test_gap_divides_by_what_the_expert_gains(vectors, probe) -> None:
    objective = Objective(vectors, probe, 8, "gap")
    base = objective.task_losses(torch.zeros(1, 3, dtype=torch.float64))
    for number, name in enumerate(vectors.names):
        expert = objective.task_losses(torch.eye(3, dtype=torch.float64)[[number]])
        assert objective.scales[name] == pytest.approx(base[name] - expert[name])
    plain = Objective(vectors, probe, 8, "mean")
    assert set(plain.scales.values()) == {1.0}
    assert plain.scaled(base) == pytest.approx(sum(base.values()) / 3)


def test_gap_without_an_expert_falls_back_to_the_base_and_says_so(vectors, tasks, probe) -> None:
    pair = vectors.select(["faq", "topic"])
    with pytest.warns(UserWarning, match="'likeness' have no expert"):
        objective = Objective(pair, probe, 8, "gap")
    base = objective.task_losses(torch.zeros(1, 2, dtype=torch.float64))
    assert objective.scales["likeness"] == pytest.approx(base["likeness"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = self_position(pair, probe, steps=1, scale="gap", **QUICK)
    assert result.history.columns.str.startswith("loss:").sum() == 3
    assert list(result.coefficients.index) == ["faq", "topic"]


def with_loss(task: Task, factor: float) -> Task:
    class Constant(nn.Module):
        def __init__(self, model: SentenceTransformer) -> None:
            super().__init__()
            self.model = model

        def forward(self, features, labels):
            return factor * self.model(next(iter(features)))["sentence_embedding"].sum()

    return Task(**{**vars(task), "loss": Constant})


def test_a_loss_that_is_zero_everywhere_divides_nothing(vectors, tasks) -> None:
    odd = Probe.sample({**tasks, "faq": with_loss(tasks["faq"], 0.0)}, size=96)
    with pytest.warns(UserWarning, match="'faq'"):
        result = self_position(vectors, odd, steps=1, scale="gap", **QUICK)
    assert result.settings["scales"]["faq"] == 1.0
    assert np.isfinite(result.history["loss"]).all()


def test_a_loss_that_is_not_finite_names_its_task(vectors, tasks) -> None:
    odd = Probe.sample({**tasks, "topic": with_loss(tasks["topic"], float("nan"))}, size=96)
    for scale in ("mean", "gap"):
        with pytest.raises(SpkitError, match=r"stay finite.*nan for task 'topic' at coefficients"):
            self_position(vectors, odd, steps=1, scale=scale, **QUICK)


def test_gradient_scale_gives_every_task_a_gradient_of_one_length_at_the_average(vectors, probe) -> None:
    """Each task's gradient, isolated by weights that all but leave the others out, has the same length."""
    plain = Objective(vectors, probe, 8, "gradient")
    assert min(plain.scales.values()) > 0
    average = torch.full((1, 3), 1 / 3, dtype=torch.float64)
    model = vectors.at(average)
    for name, part in Objective(vectors, probe, 8).batches.items():
        batches = list(part.epoch(0))
        part.loss.model = model
        model.zero_grad()
        for batch in batches:
            (part.loss_of(batch) / len(batches)).backward()
        norms = [p.grad.norm() for p in model.parameters() if p.grad is not None]
        assert plain.scales[name] == pytest.approx(float(torch.stack(norms).norm()), rel=1e-4)


def test_gradient_scale_of_a_task_without_gradient_falls_back_and_says_so(vectors, tasks) -> None:
    odd = Probe.sample({**tasks, "faq": with_loss(tasks["faq"], 0.0)}, size=96)
    with pytest.warns(UserWarning, match="'faq' have no gradient"):
        assert Objective(vectors, odd, 8, "gradient").scales["faq"] == 1.0


def test_weights_are_shares_of_the_objective(vectors, probe) -> None:
    """Loss and gradient are the weighted means of the single tasks', whole and by batch."""
    at = torch.full((1, 3), 0.4, dtype=torch.float64)
    names = list(probe.tasks)
    weights = dict(zip(names, (1.0, 2.0, 5.0), strict=True))
    weighted = Objective(vectors, probe, 8, weights=weights)
    evaluated, losses = weighted.whole(at), weighted.task_losses(at)
    assert evaluated.task_losses == pytest.approx(losses)
    assert evaluated.loss == pytest.approx(sum(weights[name] * losses[name] for name in names) / 8)
    parts = []
    for name in names:
        alone = Probe({name: probe.tasks[name]}, {name: probe.examples[name]}, "train", 0)
        parts.append(weights[name] / 8 * Objective(vectors, alone, 8).whole(at).gradient)
    torch.testing.assert_close(evaluated.gradient, torch.stack(parts).sum(0), rtol=1e-4, atol=1e-6)
    once = Objective(vectors, probe, 8, weights={name: 10 * value for name, value in weights.items()})
    assert once.step(at).loss == pytest.approx(weighted.step(at).loss)


def test_a_weight_moves_the_position_towards_its_task(vectors, probe) -> None:
    settings = {"path": "free", "optimizer": "lbfgs", "steps": 12, "mu": 0.0, **WHOLE}
    even = self_position(vectors, probe, **settings)
    leaning = self_position(vectors, probe, weights={"faq": 20.0, "topic": 1.0, "likeness": 1.0}, **settings)
    objective = Objective(vectors, probe, 32)
    assert objective.task_losses(leaning.rows)["faq"] < objective.task_losses(even.rows)["faq"]
    assert leaning.settings["weights"]["faq"] == 20


@pytest.mark.parametrize("granularity", ["model", "module"])
def test_quasi_newton_ends_where_the_gradient_vanishes(vectors, probe, granularity) -> None:
    settings = {"path": "free", "granularity": granularity, "mu": 0.0, **WHOLE}
    steps = 60
    result = self_position(vectors, probe, optimizer="lbfgs", steps=steps, **settings)
    if granularity == "model":  # 24 coefficients are not done in 60 steps
        assert len(result.history) < steps  # it stopped by itself
    objective = Objective(vectors, probe, 32)
    first = result.history["gradient_norm"].iloc[0]
    end = objective.whole(result.rows).gradient
    last = (end if granularity == "module" else end.sum(0)).norm()
    assert float(last) < 0.1 * first
    value = objective.scaled(objective.task_losses(result.rows))
    assert value == pytest.approx(result.history["loss"].min(), rel=1e-5)
    descent = self_position(vectors, probe, optimizer="adam", learning_rate=0.05, steps=40, **settings)
    assert value <= objective.scaled(objective.task_losses(descent.rows)) + 1e-3


def test_quasi_newton_spends_its_steps_and_not_more(vectors, probe) -> None:
    bounded = self_position(vectors, probe, optimizer="lbfgs", steps=3, **WHOLE)
    assert len(bounded.history) == 3
    again = self_position(vectors, probe, optimizer="lbfgs", steps=3, **WHOLE)
    assert bounded.history.drop(columns="seconds").equals(again.history.drop(columns="seconds"))
    assert bounded.settings["learning_rate"] is None


@pytest.mark.parametrize("optimizer", ["sgd", "lbfgs"])
def test_patience_ends_a_search_that_gets_no_better(vectors, probe, tasks, optimizer, monkeypatch) -> None:
    """The validation is made to rise: the search stops after two looks, and returns the start."""
    held_back = Probe.sample(tasks, size=48, split="dev")
    values = iter(range(100))
    scaled = Objective.scaled
    batches = held_back.sizes

    def rising(self, losses):
        own = {name: sum(map(len, part._views)) for name, part in self.batches.items()}
        return float(next(values)) if own == batches else scaled(self, losses)

    monkeypatch.setattr(Objective, "scaled", rising)
    settings = {"validation": held_back, "validate_every": 1, "patience": 2, "path": "free", "mu": 0.0, **QUICK}
    result = self_position(vectors, probe, optimizer=optimizer, steps=20, **settings)
    assert len(result.history) == 2
    assert [result.settings["validation_at_start"], *result.history["validation"]] == [0, 1, 2]
    torch.testing.assert_close(result.rows, torch.full((1, 3), 1 / 3, dtype=torch.float64))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"optimizer": "lbfgs", "learning_rate": 0.1}, "`learning_rate` has no meaning for 'lbfgs'"),
        ({"patience": 2}, "`patience` needs a `validation` probe"),
        ({"weights": {"faq": 1.0}}, "`weights` must name each task of the probe once.*Found 'faq'"),
        ({"weights": {"faq": 1.0, "topic": 1.0, "likeness": 0.0}}, "`weights` must be positive"),
        ({"path": "arc"}, "'slerp', 'simplex', 'free'.*'arc'"),
        ({"granularity": "layer"}, "'model', 'module'.*'layer'"),
        ({"optimizer": "cma"}, "'sgd', 'adam', 'lbfgs'"),
        ({"mu": -0.1}, "`mu`.*-0.1"),
        ({"mu": float("nan")}, "`mu`.*nan"),
        ({"learning_rate": 0.0}, "`learning_rate` must be positive"),
        ({"steps": 0}, "must be positive.*Found 0"),
        ({"validate_every": 0}, "must be positive"),
        ({"start": [0.5, 0.5]}, "one entry per task vector.*Found 2 for 3"),
        ({"start": [-1.0, -1.0, 0.0]}, "positive coefficient"),
        ({"batch_size": 1}, "at least 2 examples"),
    ],
)
def test_bad_input(vectors, probe, change, message) -> None:
    with pytest.raises(SpkitError, match=message):
        inspect.unwrap(self_position)(vectors, probe, **(QUICK | {"steps": 1} | change))


def test_an_unknown_scale_is_refused(vectors, probe) -> None:
    with pytest.raises(SpkitError, match=r"'mean', 'gap', 'gradient'.*'max'"):
        inspect.unwrap(Objective.__init__)(object.__new__(Objective), vectors, probe, 8, "max")


def test_vectors_and_base_are_left_as_they_were(vectors, probe) -> None:
    before, matrix = weights_hash(vectors.base), vectors.matrix.clone()
    self_position(vectors, probe, steps=2, **QUICK)
    assert weights_hash(vectors.base) == before
    assert torch.equal(vectors.matrix, matrix)
    assert all(parameter.grad is None for parameter in vectors.base.parameters())


def test_coefficients_and_model_are_the_position(vectors, probe, result) -> None:
    assert isinstance(result.coefficients, pd.Series)
    assert result.coefficients.index.tolist() == list(vectors.names)
    assert weights_hash(result.model()) == weights_hash(vectors.at(result.coefficients))
    wide = self_position(vectors, probe, granularity="module", path="free", steps=2, **QUICK)
    assert isinstance(wide.coefficients, pd.DataFrame)
    assert wide.coefficients.index.tolist() == list(vectors.modules)
    assert wide.coefficients.columns.tolist() == list(vectors.names)
    assert weights_hash(wide.model()) == weights_hash(vectors.at(wide.coefficients))


@pytest.mark.parametrize("granularity", ["model", "module"])
def test_saved_folder_is_a_model_that_its_recipe_rebuilds(vectors, probe, tmp_path, granularity) -> None:
    result = self_position(vectors, probe, granularity=granularity, steps=2, **QUICK)
    result.save(tmp_path / "merged")
    loaded = SentenceTransformer(str(tmp_path / "merged"), device="cpu")
    text = ["where is the red apple"]
    np.testing.assert_allclose(loaded.encode(text), result.model().encode(text), atol=1e-6)
    assert weights_hash(loaded) == weights_hash(result.model())
    recipe = json.loads((tmp_path / "merged" / "recipe.json").read_text())
    assert recipe["base_sha256"] == vectors.base_hash == weights_hash(vectors.base)
    assert list(recipe["experts"]) == list(vectors.names)
    given = recipe["coefficients"]
    assert list(given) == (list(vectors.modules) if granularity == "module" else ["model"])
    rebuilt = vectors.at(given if granularity == "module" else given["model"])
    assert weights_hash(rebuilt) == weights_hash(loaded)
    assert recipe["settings"]["mu"] == 0.01
    assert recipe["versions"]["torch"].startswith(torch.__version__.split("+")[0])
    card = (tmp_path / "merged" / "README.md").read_text()
    for name, value in zip(vectors.names, result.rows[0].tolist(), strict=True):
        assert name in card
        assert f"{value:.4f}" in card
    history = pd.read_csv(tmp_path / "merged" / "history.csv")
    np.testing.assert_allclose(history["loss"], result.history["loss"])


def test_saving_replaces_a_model_and_nothing_else(result, tmp_path) -> None:
    target = tmp_path / "merged"
    result.save(target)
    before = {path.name for path in target.iterdir()}
    result.save(target)
    assert {path.name for path in target.iterdir()} == before
    (target / "notes.txt").write_text("mine")
    with pytest.raises(SpkitError, match=r"'notes.txt', which spkit did not write"):
        result.save(target)
    assert (target / "notes.txt").read_text() == "mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["merged"]
    notes = tmp_path / "notes"
    notes.mkdir()
    (notes / "diary.txt").write_text("mine")
    with pytest.raises(SpkitError, match="which spkit did not write"):
        result.save(notes)
    assert (notes / "diary.txt").read_text() == "mine"


def numbered(name: str, count: int, kind: str = "retrieval") -> Task:
    columns = ("anchor", "positive") if kind == "retrieval" else ("sentence1", "sentence2")

    def rows(part: str, size: int) -> Dataset:
        table = {column: [f"{part} {column} {name} {i}" for i in range(size)] for column in columns}
        return Dataset.from_dict(table if kind == "retrieval" else table | {"score": [float(i) for i in range(size)]})

    return Task(name=name, kind=kind, train=rows("train", count), dev=rows("dev", count // 2), test=rows("test", 8))


def test_probe_sizes_follow_the_balance() -> None:
    tasks = {"big": numbered("big", 300), "small": numbered("small", 100, "sts")}

    def sizes(**settings) -> dict[str, int]:
        return Probe.sample(tasks, **settings).sizes

    assert sizes(size=80) == {"big": 40, "small": 40}
    assert sizes(size=80, balance="proportional") == {"big": 60, "small": 20}
    assert sizes(size=80, balance={"big": 1.0, "small": 3.0}) == {"big": 20, "small": 60}
    assert sizes(size=1000) == {"big": 300, "small": 100}
    assert len(Probe.sample(list(tasks.values()), size=80)) == 80


def test_probe_is_drawn_without_repetition_by_its_seed_and_never_from_test() -> None:
    task = numbered("faq", 100)
    one, same, other = (Probe.sample([task], size=40, seed=seed).examples["faq"]["anchor"][:] for seed in (1, 1, 2))
    assert one == same
    assert set(one) != set(other)
    assert len(set(one)) == 40
    assert set(one) < set(task.train["anchor"])
    held_back = Probe.sample([task], size=40, split="dev")
    assert set(held_back.examples["faq"]["anchor"]) < set(task.dev["anchor"])
    assert (held_back.split, held_back.seed) == ("dev", 0)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"split": "test"}, "test splits are never used to choose.*'test'"),
        ({"size": 6}, r"enough probe examples.*Found 3 for task 'big'"),
        ({"size": 0}, "enough probe examples"),
        ({"balance": "fair"}, "'fair'"),
        ({"balance": {"big": 1.0}}, "one positive share for each task"),
    ],
)
def test_bad_probes(settings, message) -> None:
    tasks = {"big": numbered("big", 300), "small": numbered("small", 100, "sts")}
    with pytest.raises(SpkitError, match=message):
        inspect.unwrap(Probe.sample.__func__)(Probe, tasks, **settings)


def test_a_probe_needs_a_task() -> None:
    with pytest.raises(SpkitError, match="at least one task"):
        Probe.sample([])


def test_the_former_name_of_a_scale_is_accepted_with_a_warning(no_type_check, vectors, probe) -> None:
    with pytest.warns(FutureWarning, match="scale='sum' is now called 'mean'"):
        former = self_position(vectors, probe, scale="sum", steps=2, **QUICK)
    assert former.settings["scale"] == "mean"
    assert torch.equal(former.rows, self_position(vectors, probe, steps=2, **QUICK).rows)


def test_a_start_that_a_path_refuses_in_one_module_is_no_module_without_an_answer(vectors, probe) -> None:
    """Only where the geometry leaves no answer does a module take the coefficients of the whole model."""
    start = torch.full((len(vectors.modules), 3), 0.5, dtype=torch.float64)
    start[1] = -0.5
    with pytest.raises(SpkitError, match="must have a positive coefficient"):
        self_position(vectors, probe, granularity="module", start=start, steps=1, **QUICK)
