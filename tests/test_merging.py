"""Merges against mergekit and PEFT, the pass-through, errors with their way out, and the tuned length."""

import re

import numpy as np
import pandas as pd
import pytest
import torch
from mergekit.merge_methods import merge_tensors
from peft.utils import merge_utils
from sentence_transformers import SentenceTransformer
from torch import Tensor

import spkit
from spkit.errors import SpkitError
from spkit.hashing import weights_hash
from spkit.merging import registry
from spkit.merging.methods import merge, merge_methods, point
from spkit.merging.tuning import tune_length
from spkit.models.origin import recipe_of
from spkit.searching.objective import Objective
from spkit.searching.probe import Probe
from spkit.vectors.task_vectors import TaskVectors
from tests.experts import flat, noisy
from tests.tiny import WORDS, tiny_encoder

NAMES = ("faq", "topic", "likeness")
FOR_ONE = ("mergekit:passthrough", "mergekit:arcee_fusion", "mergekit:nearswap")  # one input, or one and the base
OURS = [one.name for one in registry.methods().values() if not one.reads_data]
WEIGHED = [name for name in OURS if "weight" in {str(one).partition("=")[0] for one in registry.find(name).parameters}]
OF_DATA = [one.name for one in registry.methods().values() if one.reads_data]  # see test_data_rules.py
CLOSE = {"atol": 1e-6, "rtol": 0}


@pytest.fixture(scope="module")
def pair(experts) -> dict[str, SentenceTransformer]:
    return {name: experts[name] for name in NAMES[:2]}


def by_tensor(method: str, base, models, parameters: dict, takes_base: bool = True) -> Tensor:
    """mergekit's answer, tensor by tensor, as one flat vector."""
    inputs = [dict(model.named_parameters()) for model in ([base, *models] if takes_base else models)]
    index = 0 if takes_base else None
    return torch.cat(
        [
            merge_tensors([i[name].detach() for i in inputs], method, parameters=parameters, base_index=index).flatten()
            for name in inputs[0]
        ]
    ).double()


def flattened(method: str, models, parameters: dict, base=None) -> Tensor:
    """mergekit's answer on the whole parameter vector as one tensor."""
    tensors = [flat(model) for model in ([base, *models] if base is not None else models)]
    return merge_tensors(tensors, method, parameters=parameters, base_index=None if base is None else 0)


# Oracles


@pytest.mark.parametrize("weight", [0.4, [0.2, 0.9, 0.5]], ids=str)
def test_task_arithmetic_is_that_of_mergekit_and_peft(base, experts, weight):
    got = flat(merge(base, experts, "task_arithmetic", weight=weight))
    torch.testing.assert_close(got, by_tensor("task_arithmetic", base, experts.values(), {"weight": weight}), **CLOSE)
    deltas = [flat(expert) - flat(base) for expert in experts.values()]
    weights = torch.tensor(weight).expand(3).double()
    torch.testing.assert_close(got, flat(base) + merge_utils.task_arithmetic(deltas, weights), **CLOSE)


@pytest.mark.parametrize("weight", [1.0, [1.0, 3.0, 2.0]], ids=str)
def test_average_is_the_weighted_mean_of_the_weights(base, experts, weight):
    got = flat(merge(base, experts, "average", weight=weight))
    torch.testing.assert_close(got, by_tensor("linear", base, experts.values(), {"weight": weight}, False), **CLOSE)


def test_average_of_a_length_goes_that_far_from_the_base(base, experts):
    mean = flat(merge(base, experts, "average"))
    far = flat(merge(base, experts, "average", length=1.5))
    torch.testing.assert_close(far - flat(base), 1.5 * (mean - flat(base)), **CLOSE)


@pytest.mark.parametrize("density", [0.25, 0.5])
def test_ties_by_tensor_is_that_of_mergekit_and_peft(base, experts, density):
    got = flat(merge(base, experts, "ties", density=density, scope="tensor"))
    expected = by_tensor("ties", base, experts.values(), {"weight": 1.0, "density": density})
    torch.testing.assert_close(got, expected, **CLOSE)
    start = dict(base.named_parameters())
    by_peft = [
        start[name]
        + merge_utils.ties(
            [dict(expert.named_parameters())[name] - start[name] for expert in experts.values()], torch.ones(3), density
        )
        for name in start
    ]
    torch.testing.assert_close(got, torch.cat([tensor.detach().flatten() for tensor in by_peft]).double(), **CLOSE)


def test_ties_over_the_vector_is_peft_on_the_whole_vector(base, experts):
    """The paper's scope, and our default."""
    deltas = [flat(expert).float() - flat(base).float() for expert in experts.values()]
    whole = merge_utils.ties(deltas, torch.ones(3), 0.25)
    got = flat(merge(base, experts, "ties", density=0.25))
    torch.testing.assert_close(got, flat(base) + whole.double(), **CLOSE)
    assert not torch.allclose(got, flat(merge(base, experts, "ties", density=0.25, scope="tensor")), **CLOSE)


@pytest.mark.parametrize("density", [0.05, 0.2, 1.0])
def test_ties_is_the_trimmed_and_elected_vectors_at_ones(base, experts, density):
    """One default everywhere, to the bit: what a search on the basis begins at is what `merge` gives."""
    vectors = TaskVectors.from_models(base, experts)
    merged = merge(base, vectors, "ties", density=density)
    assert weights_hash(vectors.trim(density).elect().at([1.0] * 3)) == weights_hash(merged)
    assert recipe_of(merged)["operations"] == list(vectors.trim(density).elect().provenance.operations)


def test_ties_at_density_one_still_elects(base, experts):
    deltas = torch.stack([flat(expert) - flat(base) for expert in experts.values()])
    agree = deltas.sign() == deltas.sum(0).sign()
    mean = (deltas * agree).sum(0) / agree.sum(0)
    got = flat(merge(base, experts, "ties", density=1.0, length=0.5))
    torch.testing.assert_close(got, flat(base) + 0.5 * mean, **CLOSE)


@pytest.mark.parametrize("weights", [(1.0, 1.0), (0.25, 0.75), (3.0, 1.0)])
def test_slerp_is_nuslerp_of_the_task_vectors(base, pair, weights):
    """A larger weight gives its vector more: position t = w_2 / (w_1 + w_2)."""
    got = flat(merge(base, pair, "slerp", weight=weights))
    expected = flattened("nuslerp", pair.values(), {"weight": list(weights), "nuslerp_flatten": True}, base)
    torch.testing.assert_close(got, expected, **CLOSE)


def test_slerp_points_where_the_karcher_mean_points(base, pair):
    """For two vectors of one norm SLERP at one half is the mean on the sphere."""
    deltas = [flat(expert) - flat(base) for expert in pair.values()]
    karcher = merge_tensors(deltas, "karcher", parameters={})
    got = flat(merge(base, pair, "slerp", common_norm=True)) - flat(base)
    torch.testing.assert_close(got, karcher, atol=1e-5, rtol=0)


def test_slerp_folds_in_the_order_of_the_experts(base, experts):
    turned = {name: experts[name] for name in reversed(NAMES)}
    weights = {"faq": 1.0, "topic": 2.0, "likeness": 4.0}
    one, other = (flat(merge(base, order, "slerp", weight=weights)) for order in (experts, turned))
    assert (one - other).abs().max() > 1e-3
    torch.testing.assert_close(one, flat(merge(base, experts, "slerp", weight=[2.0, 4.0, 8.0])), **CLOSE)


def test_dare_drops_rescales_and_adds(base, experts):
    vectors = TaskVectors.from_models(base, experts)
    got = flat(merge(base, vectors, "dare", density=0.25, weight=0.5, seed=3))
    torch.testing.assert_close(got, flat(vectors.drop(0.75, seed=3).at([0.5] * 3)), **CLOSE)
    assert not torch.equal(got, flat(merge(base, vectors, "dare", density=0.25, weight=0.5, seed=4)))
    whole = flat(merge(base, vectors, "dare", density=1.0, weight=0.5))
    torch.testing.assert_close(whole, flat(merge(base, vectors, "task_arithmetic", weight=0.5)), **CLOSE)


# Pass-through


@pytest.mark.parametrize(
    ("method", "parameters"),
    [
        ("linear", {"weight": [0.7, 0.3]}),
        ("slerp", {"t": 0.25}),
        ("karcher", {}),
        ("ties", {"density": 0.5}),
        ("nuslerp", {"weight": [0.7, 0.3]}),
        ("dare_linear", {"density": 0.5}),
    ],
)
def test_pass_through_is_sentence_transformers_merge(base, pair, method, parameters):
    uses_base = method not in ("linear", "slerp", "karcher")
    torch.manual_seed(0)
    expected = SentenceTransformer.merge(
        list(pair.values()), method, base_model=base if uses_base else None, parameters=parameters
    )
    assert torch.equal(flat(merge(base, pair, f"mergekit:{method}", **parameters)), flat(expected))


def test_pass_through_takes_task_vectors_and_lists(base, pair):
    vectors = TaskVectors.from_models(base, pair)
    expected = flat(merge(base, pair, "mergekit:slerp", t=0.3))
    torch.testing.assert_close(flat(merge(base, vectors, "mergekit:slerp", t=0.3)), expected, **CLOSE)
    assert torch.equal(flat(merge(base, list(pair.values()), "mergekit:slerp", t=0.3)), expected)


def test_pass_through_draws_from_its_own_seed(base, pair):
    torch.manual_seed(7)
    expected = torch.rand(1)
    torch.manual_seed(7)
    one, again, other = (flat(merge(base, pair, "mergekit:dare_ties", density=0.5, seed=seed)) for seed in (1, 1, 2))
    assert torch.equal(one, again)
    assert not torch.equal(one, other)
    assert torch.equal(torch.rand(1), expected)  # the global generator is as it was


@pytest.mark.parametrize(("method", "parameters"), [("arcee_fusion", {}), ("nearswap", {"t": 0.001})])
def test_methods_of_a_base_and_one_expert_take_them(base, experts, method, parameters):
    got = flat(merge(base, {"faq": experts["faq"]}, f"mergekit:{method}", **parameters))
    assert (got != flat(base)).any()
    assert torch.isfinite(got).all()


# Every method


@pytest.mark.parametrize("method", [name for name in merge_methods() if name not in OF_DATA])
def test_every_method_gives_a_model_or_a_reason(base, pair, method):
    before = {name: weights_hash(model) for name, model in {"base": base, **pair}.items()}
    if method in FOR_ONE:
        with pytest.raises(SpkitError, match=r"exactly [12] inputs; got [23]; found the experts"):
            merge(base, pair, method)
    else:
        model = merge(base, pair, method)
        embeddings = model.encode(["where is the red apple", "violin"])
        assert np.isfinite(embeddings).all()
        assert embeddings.shape == (2, 32)
        assert not model.training
        assert weights_hash(model) not in before.values()
    assert before == {name: weights_hash(one) for name, one in {"base": base, **pair}.items()}


def test_methods_are_listed_ours_first():
    methods = merge_methods()
    assert methods[: len(OURS + OF_DATA)] == OURS + OF_DATA
    assert {"mergekit:linear", "mergekit:slerp", "mergekit:karcher", "mergekit:ties"} < set(methods)
    assert len(methods) == len(set(methods))


@pytest.mark.parametrize("method", ["slerp", "mergekit:ties"])
def test_a_merged_model_saves_and_loads(base, pair, method, tmp_path):
    model = spkit.merge(base, pair, method)
    model.save(str(tmp_path / "merged"))
    loaded = SentenceTransformer(str(tmp_path / "merged"), device="cpu")
    assert weights_hash(loaded) == weights_hash(model)
    np.testing.assert_allclose(loaded.encode(["red apple"]), model.encode(["red apple"]), atol=1e-6)


def test_folders_names_and_vectors_are_the_same_experts(base, pair, tmp_path):
    for name, model in {"base": base, **pair}.items():
        model.save(str(tmp_path / name))
    expected = flat(merge(base, pair))
    folders = {name: tmp_path / name for name in pair}
    for start, given in (
        (base, TaskVectors.from_models(base, pair)),
        (base, list(pair.values())),
        (base, folders),
        (str(tmp_path / "base"), [str(folder) for folder in folders.values()]),
        (tmp_path / "base", TaskVectors.from_models(base, pair)),
    ):
        torch.testing.assert_close(flat(merge(start, given)), expected, **CLOSE)


def test_weights_by_name_are_those_in_order(base, experts):
    by_name = {"likeness": 0.3, "faq": 0.1, "topic": 0.2}
    for method in WEIGHED:
        expected = flat(merge(base, experts, method, weight=[0.1, 0.2, 0.3]))
        assert torch.equal(flat(merge(base, experts, method, weight=by_name)), expected)


def test_a_point_is_what_is_merged(base, experts):
    vectors = TaskVectors.from_models(base, experts)
    for method in OURS:
        span, coefficients = point(vectors, method, length=0.5)
        assert coefficients.dtype == torch.float64
        assert torch.equal(flat(span.at(coefficients)), flat(merge(base, vectors, method, length=0.5)))
        assert weights_hash(span.at(0.0 * coefficients)) == weights_hash(base)


# Errors


@pytest.mark.parametrize(
    ("method", "hint"),
    [
        ("tie", "one of mergekit's as 'mergekit:NAME'. Found 'tie'. Did you mean 'ties'"),
        ("mergekit:karchr", "'mergekit:ties'. Found 'mergekit:karchr'. Did you mean 'mergekit:karcher'"),
        ("?", "Pass one of these"),
        ("mergekit:", "Found 'mergekit:'"),
    ],
)
def test_an_unknown_method_is_refused_with_what_was_meant(base, pair, method, hint):
    with pytest.raises(SpkitError, match=r"`method` must be one of 'average', ") as refused:
        merge(base, pair, method)
    assert hint in str(refused.value)


def test_an_unknown_parameter_is_refused_with_those_there_are(base, pair):
    with pytest.raises(
        SpkitError,
        match=r"'ties' must be among 'density', 'weight', 'length', 'scope'. Found 'densty'. "
        "Did you mean 'density'",
    ):
        merge(base, pair, "ties", densty=0.5)
    with pytest.raises(SpkitError, match=r"must be among 'weight', 'normalize', 'seed'. Found 'bogus'"):
        merge(base, pair, "mergekit:linear", bogus=1)


def test_a_method_of_mergekit_is_no_point(base, pair):
    with pytest.raises(SpkitError, match="Only our own methods are points"):
        point(TaskVectors.from_models(base, pair), "mergekit:linear")


@pytest.mark.parametrize(
    ("method", "parameters", "message"),
    [
        ("average", {"weight": -1.0}, "`weight` must be 0 or more"),
        ("average", {"weight": [0.0, 0.0]}, "`weight` must be 0 or more"),
        ("average", {"weight": [1.0]}, "Found 1 for 2 task vectors"),
        ("average", {"weight": {"faq": 1.0}}, "must name each task vector once"),
        ("average", {"length": float("nan")}, "`length` must be finite"),
        ("average", {"length": "far"}, "`length` must be a number. Found 'far'. Pass 1.0, for example."),
        ("slerp", {"weight": [0.0, 1.0]}, "`weight` must be positive for 'slerp'"),
        ("ties", {"density": 0.0}, "`density` must be above 0"),
        ("dare", {"density": 0.0}, "`density` must be above 0"),
        ("dare", {"density": 1.5}, "`density` must be above 0"),
        ("mergekit:slerp", {"t": "far"}, "`t` must be a number"),
    ],
)
def test_parameters_out_of_range_are_refused(base, pair, method, parameters, message):
    with pytest.raises(SpkitError, match=re.escape(message)):
        merge(base, pair, method, **parameters)


def test_literals_out_of_range_are_refused(base, pair):
    with pytest.raises(SpkitError, match="`scope` must be 'tensor' or 'vector'"):
        merge(base, pair, "ties", scope="layer")
    with pytest.raises(SpkitError, match="`accumulate` must be 'mean' or 'sum'"):
        merge(base, pair, "slerp", accumulate="median")


def test_weights_for_modules_are_refused(no_type_check, base, pair):
    """They would otherwise be those of the first module for the whole model."""
    vectors = TaskVectors.from_models(base, pair)
    with pytest.raises(SpkitError, match="Found weights for 6 modules"):
        merge(base, vectors, "average", weight={module: [1.0, 2.0] for module in vectors.modules})


@pytest.mark.parametrize("method", ["slerp", "mergekit:task_arithmetic"])
def test_another_base_than_that_of_the_vectors_is_refused(base, pair, method):
    vectors = TaskVectors.from_models(base, pair)
    with pytest.raises(SpkitError, match="must be the base of the task vectors"):
        merge(noisy(base, 5), vectors, method)


def test_one_model_in_place_of_several_is_refused(no_type_check, base, pair):
    for one in (pair["faq"], "runs/faq"):
        with pytest.raises(SpkitError, match="`experts` must be several models"):
            merge(base, one)


def test_experts_of_another_base_are_refused(base, pair):
    with pytest.raises(SpkitError, match="'expert2'"):
        merge(base, [pair["faq"], tiny_encoder(layers=1, words=WORDS)])


# Tuned merges


@pytest.fixture(scope="module")
def probe(large_probe) -> Probe:
    return large_probe


def test_the_tuned_length_has_the_lowest_loss_seen(base, experts, probe):
    vectors = TaskVectors.from_models(base, experts)
    tuned = tune_length(vectors, probe, "ties", density=0.5, evaluations=5, batch_size=16, scale="mean", progress=False)
    assert len(tuned.history) <= 5
    best = tuned.history.sort_values("loss").iloc[0]
    assert tuned.length == best["length"]
    assert tuned.history["length"].between(0, 4).all()
    span, direction = point(vectors, "ties", density=0.5)
    torch.testing.assert_close(tuned.coefficients, tuned.length * direction)
    assert torch.equal(tuned.vectors.matrix, span.matrix)
    objective = Objective(span, probe, 16, "mean", 0)  # the loss again, from the model that is handed out
    losses = objective.task_losses(tuned.coefficients[None])
    assert objective.scaled(losses) == pytest.approx(best["loss"], rel=1e-5)
    assert {f"loss:{name}" for name in NAMES} < set(tuned.history.columns)
    assert isinstance(tuned.history, pd.DataFrame)


def test_tuning_spends_its_evaluations_and_not_more(base, pair, probe):
    vectors = TaskVectors.from_models(base, pair)
    tuned = tune_length(
        vectors, probe, "average", evaluations=4, longest=1.0, batch_size=16, scale="mean", progress=False
    )
    assert len(tuned.history) == 4


@pytest.mark.parametrize("setting", [{"longest": 0.0}, {"evaluations": 2}, {"longest": float("nan")}])
def test_tuning_out_of_range_is_refused(base, pair, probe, setting):
    with pytest.raises(SpkitError, match="`longest` must be positive and `evaluations` at least 3"):
        tune_length(TaskVectors.from_models(base, pair), probe, "average", **setting)
