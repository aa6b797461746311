"""Merges that read data: against their formulas written out, on models whose answer is known."""

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer
from torch import nn

from spkit.errors import SpkitError
from spkit.hashing import weights_hash
from spkit.merging.methods import merge, point
from spkit.merging.rules.fisher import fisher
from spkit.merging.rules.loss_weighted import loss_weighted
from spkit.merging.rules.regmean import regmean
from spkit.searching.objective import Objective
from spkit.searching.probe import Probe
from spkit.searching.self_position import self_position
from spkit.tasks import Task
from spkit.training.batches import TaskBatches
from spkit.vectors.task_vectors import TaskVectors
from tests.experts import noisy
from tests.tiny import WORDS, tiny_encoder

QUICK = {"examples": 32, "batch_size": 8}
NAMES = ("faq", "topic", "likeness")


@pytest.fixture(scope="module")
def vectors() -> TaskVectors:
    base = tiny_encoder(0, WORDS).eval()
    return TaskVectors.from_models(base, {name: noisy(base, number, 0.1) for number, name in enumerate(NAMES)})


def expert(vectors: TaskVectors, name: str) -> SentenceTransformer:
    return vectors.at({one: float(one == name) for one in vectors.names})


def drawn(task: Task, model: SentenceTransformer) -> tuple[TaskBatches, list]:
    stream = TaskBatches(task, task.train, model, 8, 0)
    return stream, [batch for batch, _ in zip(stream, range(4), strict=False)]


def merged(spot) -> torch.Tensor:
    span, coefficients = spot
    return span.flat(coefficients)


@pytest.mark.parametrize("normalize", [True, False])
def test_fisher_is_its_formula_on_the_whole_model(vectors, tasks, normalize) -> None:
    weights = [1.0, 2.0, 0.5]
    information, thetas = [], []
    for name in NAMES:
        model = expert(vectors, name)
        stream, batches = drawn(tasks[name], model)
        total = torch.zeros(vectors.num_parameters, dtype=torch.float64)
        for batch in batches:
            model.zero_grad()
            stream.loss_of(batch).backward()
            given = {key: torch.zeros_like(p) if p.grad is None else p.grad for key, p in model.named_parameters()}
            total += vectors.layout.flatten(given).double() ** 2 / len(batches)
        information.append(total / total.sum() if normalize else total)
        thetas.append(vectors.layout.flatten(dict(model.named_parameters())).double())
    weighted = torch.stack([w * f for w, f in zip(weights, information, strict=True)])
    mean = torch.tensor(weights, dtype=torch.float64) / sum(weights)
    share = torch.where(weighted.sum(0) > 0, weighted / weighted.sum(0), mean[:, None])
    expected = (share * torch.stack(thetas)).sum(0)
    got = merged(fisher(vectors, tasks=tasks, weight=weights, normalize=normalize, **QUICK))
    # Where F is tiny beside its own rounding, the share is rounding too.
    torch.testing.assert_close(got.double(), expected, rtol=1e-3, atol=1e-4)


def slope_on(task: Task, parameter: str, slope: float) -> Task:
    """A loss with a constant gradient `slope` on every entry of one parameter, and none elsewhere."""

    class Slope(nn.Module):
        def __init__(self, model: SentenceTransformer) -> None:
            super().__init__()
            self.model = model

        def forward(self, features, labels):
            return slope * dict(self.model.named_parameters())[parameter].sum()

    return Task(**{**vars(task), "loss": Slope})


def test_fisher_of_a_parameter_per_task_keeps_each_tasks_own(vectors, tasks) -> None:
    """Two tasks have gradients 3 and 1 on one bias: it goes 9 : 1; a bias of the third task only is its own."""
    layout = vectors.layout
    biases = [name for name in layout.names if name.endswith("dense.bias")][:2]
    odd = {
        "faq": slope_on(tasks["faq"], biases[0], 3.0),
        "topic": slope_on(tasks["topic"], biases[0], 1.0),
        "likeness": slope_on(tasks["likeness"], biases[1], 0.1),
    }
    got = merged(fisher(vectors, tasks=odd, normalize=False, **QUICK)) - vectors.flat([0.0] * 3)
    first, second = (layout.slices[name] for name in biases)
    faq, topic, likeness = vectors.matrix
    torch.testing.assert_close(got[first], 0.9 * faq[first] + 0.1 * topic[first])
    torch.testing.assert_close(got[second], likeness[second])
    rest = torch.ones(layout.size, dtype=torch.bool)
    rest[first] = rest[second] = False
    torch.testing.assert_close(got[rest], vectors.matrix.mean(0)[rest])


def inputs_of(model: SentenceTransformer, task: Task, layer: str) -> torch.Tensor:
    """What goes into a linear layer, token by token without padding, in float64."""
    rows, masks = [], []
    handles = [
        model.register_forward_pre_hook(lambda _, given: masks.append(given[0]["attention_mask"].bool())),
        model.get_submodule(layer).register_forward_pre_hook(lambda _, given: rows.append(given[0].detach())),
    ]
    stream, batches = drawn(task, model)
    with torch.no_grad():
        for batch in batches:
            stream.loss_of(batch)
    for handle in handles:
        handle.remove()
    return torch.cat([row[mask] for row, mask in zip(rows, masks, strict=True)]).double()


@pytest.mark.parametrize("layer", ["layer.0.attention.self.query", "layer.1.output.dense"])
def test_regmean_is_least_squares_on_the_pooled_inputs(vectors, tasks, layer) -> None:
    (layer,) = [name for name, _ in vectors.base.named_modules() if name.endswith(layer)]
    inputs, outputs = [], []
    for name in NAMES:
        model = expert(vectors, name)
        rows = inputs_of(model, tasks[name], layer)
        rows = rows / len(rows) ** 0.5  # each task counts the same, however long its texts are
        inputs.append(rows)
        outputs.append(rows @ model.get_submodule(layer).weight.detach().double().T)
    expected = torch.linalg.lstsq(torch.cat(inputs), torch.cat(outputs), driver="gelsd").solution
    span, coefficients = regmean(vectors, tasks=tasks, shrink=1.0, **QUICK)
    got = span.at(coefficients).get_submodule(layer).weight.detach().double().T
    average = vectors.at([1 / 3] * 3).get_submodule(layer).weight.detach().double().T
    # Outputs are compared: inputs behind a layer norm leave one direction of the weights open.
    best, ours, plain = (
        torch.cat([rows @ weight - out for rows, out in zip(inputs, outputs, strict=True)]).norm().item()
        for weight in (expected, got, average)
    )
    assert best <= ours * (1 + 1e-9)
    assert ours == pytest.approx(best, rel=1e-3)
    assert plain > 1.01 * best


def test_regmean_shrunk_to_the_diagonal_is_the_mean_weighted_by_the_inputs_size(vectors, tasks) -> None:
    (layer,) = [name for name, _ in vectors.base.named_modules() if name.endswith("layer.0.attention.self.query")]
    sizes = [(inputs_of(expert(vectors, name), tasks[name], layer) ** 2).mean(0) for name in NAMES]
    weights = [expert(vectors, name).get_submodule(layer).weight.detach().double() for name in NAMES]
    expected = sum(s * w for s, w in zip(sizes, weights, strict=True)) / sum(sizes)
    span, coefficients = regmean(vectors, tasks=tasks, shrink=0.0, **QUICK)
    got = span.at(coefficients).get_submodule(layer).weight.detach().double()
    torch.testing.assert_close(got, expected, rtol=1e-4, atol=1e-5)


def test_regmean_averages_what_is_no_linear_layer(vectors, tasks) -> None:
    span, coefficients = regmean(vectors, tasks=tasks, weight=[1.0, 1.0, 2.0], **QUICK)
    linear = {f"{name}.weight" for name, module in vectors.base.named_modules() if isinstance(module, nn.Linear)}
    mean, got = vectors.flat([0.25, 0.25, 0.5]), span.flat(coefficients)
    for name, place in vectors.layout.slices.items():
        if name not in linear:
            torch.testing.assert_close(got[place], mean[place])
    assert not torch.allclose(got, mean)


@pytest.mark.parametrize("rule", [fisher, regmean])
def test_one_expert_given_three_times_is_itself(vectors, tasks, rule) -> None:
    same = TaskVectors(vectors.base, NAMES, vectors.matrix[[0, 0, 0]])
    expected = vectors.flat([1.0, 0.0, 0.0])
    torch.testing.assert_close(merged(rule(same, tasks=tasks, **QUICK)), expected, rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(merged(rule(same, tasks=tasks, length=0.0, **QUICK)), vectors.flat([0.0] * 3))


@pytest.mark.parametrize("rule", [fisher, regmean])
def test_the_order_of_the_experts_does_not_matter(vectors, tasks, rule) -> None:
    turned = vectors.select(list(reversed(NAMES)))
    one, other = (merged(rule(given, tasks=tasks, **QUICK)) for given in (vectors, turned))
    torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


def test_loss_weights_are_the_softmax_of_the_losses(vectors, tasks) -> None:
    probe = Probe.sample(tasks, size=32 * 3)
    objective = Objective(vectors, probe, 8)
    losses = np.array([objective.scaled(objective.task_losses(row[None])) for row in torch.eye(3).double()])
    weights = np.exp(-losses / 0.3) / np.exp(-losses / 0.3).sum()
    span, coefficients = loss_weighted(vectors, tasks=tasks, temperature=0.3, length=2.0, **QUICK)
    assert span is vectors
    np.testing.assert_allclose(coefficients.numpy(), 2 * weights, rtol=1e-6)
    best = int(losses.argmin())
    assert loss_weighted(vectors, tasks=tasks, temperature=1e-4, **QUICK)[1].argmax() == best
    assert loss_weighted(vectors, tasks=tasks, temperature=1e4, **QUICK)[1].tolist() == pytest.approx(
        [1 / 3] * 3, rel=1e-3
    )


@pytest.mark.parametrize("method", ["fisher", "regmean"])
def test_a_search_goes_on_from_a_merge_that_read_data(vectors, tasks, method) -> None:
    """Its vectors are a basis: the search begins at the merge itself, and ends no worse on the probe."""
    span, coefficients = point(vectors, method, tasks=tasks, **QUICK)
    probe = Probe.sample(tasks, size=96)
    settings = {"path": "free", "optimizer": "lbfgs", "steps": 6, "mu": 0.0, "batch_size": 32, "progress": False}
    result = self_position(span, probe, start=coefficients, **settings)
    objective = Objective(span, probe, 32)
    before = objective.scaled(objective.task_losses(coefficients[None]))
    assert result.history["loss"].iloc[0] == pytest.approx(before, rel=1e-5)
    assert objective.scaled(objective.task_losses(result.rows)) <= before


@pytest.mark.parametrize("method", ["fisher", "regmean", "loss_weighted"])
def test_merge_takes_the_tasks_as_they_come(vectors, tasks, method) -> None:
    experts = {name: expert(vectors, name) for name in NAMES}
    before = weights_hash(vectors.base)
    one = merge(vectors.base, experts, method, tasks=tasks, **QUICK)
    other = merge(vectors.base, vectors, method, tasks=list(tasks.values()), **QUICK)
    assert weights_hash(one) == weights_hash(other) != before == weights_hash(vectors.base)
    assert np.isfinite(one.encode(["where is the red apple"])).all()
    with pytest.raises(SpkitError, match=r"reads data\. Found no `tasks`"):
        merge(vectors.base, vectors, method)


@pytest.mark.parametrize(
    ("method", "change", "message"),
    [
        ("fisher", {"tasks": []}, "a task for each expert.*'faq', 'topic', 'likeness'"),
        ("regmean", {"examples": 0}, "`examples` must be 1 or more.*Found 0"),
        ("regmean", {"shrink": 1.5}, "`shrink` must be from 0 to 1"),
        ("fisher", {"batch_size": 1}, "at least 2 examples"),
        ("fisher", {"weight": -1.0}, "`weight` must be 0 or more"),
        ("loss_weighted", {"temperature": 0.0}, "`temperature` must be above 0"),
    ],
)
def test_bad_input(vectors, tasks, method, change, message) -> None:
    with pytest.raises(SpkitError, match=message):
        point(vectors, method, **({"tasks": tasks, **QUICK} | change))
