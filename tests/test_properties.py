"""What holds for every merge rule and every basis, those that are still to come among them, and for every path."""

import pytest
import torch
from torch import Tensor

from spkit.errors import SpkitError
from spkit.merging import registry
from spkit.merging.methods import point
from spkit.searching.path_names import path_names
from spkit.searching.paths import path_of
from spkit.vectors.basis import basis_names
from spkit.vectors.task_vectors import TaskVectors
from tests.properties import (
    assert_comes_back,
    assert_equivariant,
    assert_gradient,
    assert_gram,
    assert_made_anew,
    assert_one_hot_is_the_expert,
    assert_scales,
    moved,
    scaled,
)

#: Rules of task vectors alone; those that read data have tests of their own.
RULES = [one.name for one in registry.methods().values() if not one.reads_data]
#: Those that take a weight for each expert.
WEIGHTED = [name for name in RULES if "weight" in {one.name for one in registry.find(name).settings}]
#: Rules by whose documents the order of the experts matters.
ORDERED = {"slerp", "cabs", "dare"}
#: What makes a rule give a single expert back.
WHOLE = {
    "breadcrumbs": {"density": 1.0, "gamma": 0.0, "weight": 1.0},
    "cabs": {"n": 256},
    "dare": {"density": 1.0, "weight": 1.0},
    "neuro": {"density": 1.0, "along": 1.0, "across": 1.0},
    "task_arithmetic": {"weight": 1.0},
    "ties": {"density": 1.0},
}
NEEDED = {"trim": {"density": 0.2}, "drop": {"p": 0.5}}
CLOSE = {"atol": 1e-7, "rtol": 1e-4}
ORDER = ["likeness", "faq", "topic"]


def made(name: str):
    return lambda vectors: getattr(vectors, name)(**NEEDED.get(name, {}))


# --- rules


@pytest.mark.parametrize("name", RULES)
def test_a_merge_of_one_expert_is_the_expert(vectors, name) -> None:
    alone = vectors.select(["topic"])
    torch.testing.assert_close(moved(point(alone, name, **WHOLE.get(name, {}))), alone.matrix[0].double(), **CLOSE)


@pytest.mark.parametrize("name", RULES)
def test_the_length_scales_the_change(vectors, name) -> None:
    assert_scales(lambda length: moved(point(vectors, name, length=float(length))), torch.tensor(0.7), **CLOSE)


@pytest.mark.parametrize("name", RULES)
def test_longer_vectors_are_merged_to_the_same_direction(vectors, name) -> None:
    """No rule has a scale of its own: twice the vectors are twice the change."""
    assert_scales(lambda factor: moved(point(scaled(vectors, float(factor)), name)), torch.tensor(1.0), 2.0, **CLOSE)


@pytest.mark.parametrize("name", RULES)
def test_the_order_of_the_experts_matters_where_it_is_said_to(vectors, name) -> None:
    one, other = moved(point(vectors, name)), moved(point(vectors.select(ORDER), name))
    if name in ORDERED:
        assert (one - other).abs().max() > 1e-3
    else:
        torch.testing.assert_close(one, other, **CLOSE)


@pytest.mark.parametrize("name", WEIGHTED)
def test_names_decide_which_weight_is_whose(vectors, name) -> None:
    weights = {"faq": 0.2, "topic": 0.3, "likeness": 0.5}
    assert torch.equal(
        moved(point(vectors, name, weight=weights)), moved(point(vectors, name, weight=list(weights.values())))
    )


@pytest.mark.parametrize("name", WEIGHTED)
def test_one_negative_weight_is_refused(vectors, name) -> None:
    with pytest.raises(SpkitError, match=r"`weight` must be (0 or more|positive).*Found \[-0\.1, 1\.0, 1\.0\]"):
        point(vectors, name, weight=[-0.1, 1.0, 1.0])


def test_one_negative_weight_of_a_tensor_is_refused(vectors, no_type_check) -> None:
    """A tensor is no weight by its type, but who passes one shall not get a merge that nobody asked for."""
    with pytest.raises(SpkitError, match=r"`weight` must be 0 or more.*Found \[-0\.1, 1\.0, 1\.0\]"):
        point(vectors, "average", weight=torch.tensor([-0.1, 1.0, 1.0], dtype=torch.float64))


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("breadcrumbs", {"density": 0.3, "gamma": 0.2}),
        ("cabs", {"n": 2, "m": 9}),
        ("neuro", {"density": 0.4, "along": 0.3, "across": 0.7}),
    ],
)
def test_a_rule_hands_its_parameters_on_to_its_basis(vectors, name, given) -> None:
    assert torch.equal(point(vectors, name, **given)[0].matrix, getattr(vectors, name)(**given).matrix)


# --- bases


@pytest.mark.parametrize("name", basis_names())
def test_a_basis_makes_new_vectors_that_come_back_from_a_folder(vectors, name, tmp_path) -> None:
    loaded = assert_comes_back(assert_made_anew(made(name), vectors), tmp_path / name)
    assert [one["operation"] for one in loaded.provenance.operations] == [name]


@pytest.mark.parametrize("name", basis_names())
def test_a_basis_has_no_scale_of_its_own(vectors, name) -> None:
    assert_scales(lambda factor: made(name)(scaled(vectors, float(factor))).matrix, torch.tensor(1.0), 2.0, **CLOSE)


@pytest.mark.parametrize("name", ["breadcrumbs", "neuro", "trim", "elect"])
def test_a_basis_follows_the_order_of_the_vectors(vectors, name) -> None:
    def of(matrix: Tensor) -> Tensor:
        return made(name)(vectors.reweighted(matrix, "given")).matrix

    assert_equivariant(of, vectors.matrix, [2, 0, 1], **CLOSE)


def test_the_vectors_themselves(base, experts, vectors) -> None:
    assert_gram(vectors.gram())
    for gram in vectors.gram(by="module").values():
        assert_gram(gram)
    assert_one_hot_is_the_expert(vectors, experts)
    turned = TaskVectors(base, ORDER, vectors.select(ORDER).matrix)
    torch.testing.assert_close(turned.gram(), vectors.gram()[[2, 0, 1]][:, [2, 0, 1]])


# --- paths


@pytest.mark.parametrize("name", path_names())
def test_a_path_begins_where_it_is_asked_to_and_has_its_gradient(vectors, name) -> None:
    path, gram = path_of(name), vectors.gram()
    wanted = torch.tensor([0.2, 0.45, 0.1], dtype=torch.float64)
    parameters = path.start(wanted, gram)
    torch.testing.assert_close(path.coefficients(parameters, gram), wanted)
    assert_gradient(lambda phi: path.coefficients(phi, gram), parameters)
    assert_gradient(path.length, parameters)
    assert float(path.length(parameters)) > 0
