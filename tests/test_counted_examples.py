"""What a search says it embedded is what went through the model, by `spkit.count_costs`."""

from dataclasses import replace

import pandas as pd
import pytest
import torch
from sentence_transformers.sentence_transformer.losses import MatryoshkaLoss, MultipleNegativesRankingLoss

from spkit import Probe, choose_mu, count_costs, merge, search, self_position, sweep, trade_off, train
from spkit.merging.tuning import tune_length
from spkit.models.bases import copy_model
from spkit.searching.objective import Objective
from spkit.training.batches import TaskBatches
from tests.tiny import tiny_tasks

#: Text columns of each task: so many texts is an example.
COLUMNS = {"faq": 2, "topic": 1, "likeness": 2}
QUICK = {"batch_size": 8, "progress": False}


def probe_of(*names: str, split: str = "train") -> Probe:
    tasks = tiny_tasks()
    return Probe.sample({name: tasks[name] for name in names}, size=24 * len(names), split=split)


@pytest.fixture(scope="module")
def probe() -> Probe:
    """Of the tasks of two columns: an example is two texts, whichever task it is of."""
    return probe_of("faq", "likeness")


@pytest.fixture(scope="module")
def validation() -> Probe:
    return probe_of("faq", "likeness", split="dev")


def texts_of(objective: Objective) -> int:
    return sum(COLUMNS[name] * count for name, count in objective.examples.items())


@pytest.mark.filterwarnings("ignore:Probe tasks")  # noise gains nothing on a task, so that gaps fall back
@pytest.mark.parametrize("scale", ["mean", "gap", "gradient"])
def test_an_objective_counts_every_way_to_measure(vectors, scale) -> None:
    at = torch.full((1, 3), 0.4, dtype=torch.float64)
    with count_costs() as scaled:
        objective = Objective(vectors, probe_of(*COLUMNS), 8, scale, batches_per_step=2)
    assert texts_of(objective) == scaled.texts
    assert (scaled.texts > 0) == (scale != "mean")
    for measure in (objective.step, objective.whole, objective.task_losses, objective.batch_gradients):
        before = texts_of(objective)
        with count_costs() as cost:
            measure(at)
        assert texts_of(objective) - before == cost.texts > 0


@pytest.mark.filterwarnings("ignore:Probe tasks")
@pytest.mark.parametrize("optimizer", ["sgd", "adam", "lbfgs"])
@pytest.mark.parametrize("scale", ["mean", "gap", "gradient"])
def test_a_search_by_gradient_counts_all_that_it_embeds(vectors, probe, validation, optimizer, scale) -> None:
    """Line searches, scales, the best expert and the validation included."""
    given = {"start": "best_expert", "validation": validation, "validate_every": 2, "steps": 5, **QUICK}
    with count_costs() as cost:
        result = self_position(vectors, probe, optimizer=optimizer, scale=scale, **given)
    assert 2 * result.examples == cost.texts
    assert result.examples == cost.examples
    assert result.history["examples"].iloc[-1] == result.examples
    assert result.history["examples"].is_monotonic_increasing


@pytest.mark.filterwarnings("ignore:Probe tasks")
@pytest.mark.parametrize("method", ["grid", "random", "tpe", "cma", "gp"])
@pytest.mark.parametrize("scale", ["mean", "gap", "gradient"])
def test_a_black_box_search_counts_all_that_it_embeds(vectors, probe, method, scale) -> None:
    pair = vectors.select(["faq", "likeness"])
    with count_costs() as cost:
        result = search(pair, probe, method, budget=8, scale=scale, **QUICK)
    assert 2 * result.examples == cost.texts
    assert result.history["examples"].diff().dropna().eq(48).all()  # the whole probe each time


@pytest.mark.filterwarnings("ignore:Probe tasks")
@pytest.mark.parametrize("scale", ["mean", "gap", "gradient"])
def test_a_tuned_length_counts_all_that_it_embeds(vectors, probe, scale) -> None:
    with count_costs() as cost:
        tuned = tune_length(vectors, probe, "ties", evaluations=4, scale=scale, **QUICK)
    assert 2 * tuned.examples == cost.texts


def test_several_searches_count_all_that_they_embed(vectors, probe, validation) -> None:
    given = {"optimizer": "lbfgs", "steps": 3, **QUICK}
    with count_costs() as cost:
        best = choose_mu(vectors, probe, validation, (0.0, 0.5), **given)
    assert 2 * best.examples == cost.texts
    with count_costs() as cost:
        front = trade_off(vectors, probe, "faq", "likeness", ratios=(0.5, 2.0), measured_on=validation, **given)
    assert 2 * front.examples == cost.texts
    with count_costs() as cost:
        table = sweep(
            vectors, probe.tasks, "probe_size", probe=probe, values=[24, 48], probe_seeds=[0, 1], score=False, **given
        )
    assert 2 * table.attrs["examples"] == cost.texts


@pytest.mark.parametrize("optimizer", ["sgd", "lbfgs"])
def test_a_search_that_was_stopped_counts_as_if_it_had_not(vectors, probe, validation, tmp_path, optimizer) -> None:
    given = {"optimizer": optimizer, "validation": validation, "validate_every": 2, "steps": 5, **QUICK}
    path = tmp_path / "search.jsonl"
    whole = self_position(vectors, probe, journal=path, **given)
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:4]))
    with count_costs() as rest:
        resumed = self_position(vectors, probe, journal=path, **given)
    assert resumed.examples == whole.examples
    pd.testing.assert_series_equal(resumed.history["examples"], whole.history["examples"])
    assert 2 * whole.examples > rest.texts > 0


@pytest.mark.parametrize("method", ["fisher", "regmean", "loss_weighted"])
def test_costs_count_the_examples_of_a_rule_that_reads_data(vectors, method) -> None:
    """Three experts on 64 examples each, in whole batches of 24; losses are those of every expert on all tasks."""
    with count_costs() as cost:
        merge(vectors.base, vectors, method, tasks=tiny_tasks(), examples=64, batch_size=24)
    assert cost.examples == {"loss_weighted": 3 * 3 * 48}.get(method, 3 * 48)
    assert cost.texts == cost.examples / 3 * sum(COLUMNS.values())


def test_costs_count_the_examples_of_a_training_and_of_a_loss_around_another(vectors) -> None:
    model, task = copy_model(vectors.base), tiny_tasks()["faq"]
    with count_costs() as cost:
        train(model, task, steps=3, batch_size=8, progress=False)
    assert cost.examples == 3 * 8
    around = MatryoshkaLoss(model, MultipleNegativesRankingLoss(model), [32, 8])
    batches = TaskBatches(replace(task, loss=lambda _: around), task.train, model, 8, 0)
    with count_costs() as cost:
        batches.loss_of(next(iter(batches)))
    assert cost.examples == 8
