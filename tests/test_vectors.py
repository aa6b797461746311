"""Task vectors: positions, geometry and projections against oracles, the folder on disk, and models that do not fit."""

import copy
import re
from copy import deepcopy
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Dense
from sentence_transformers.sentence_transformer.modules import Pooling
from torch import Tensor, nn

from spkit.errors import SpkitError
from spkit.hashing import weights_hash
from spkit.merging.methods import merge
from spkit.models.bases import base_mark, copy_model, load_base, load_model, mark_base
from spkit.models.layout import Layout, module_of
from spkit.saving.recipe import save_model
from spkit.vectors import storage
from spkit.vectors.task_vectors import TaskVectors
from tests.experts import flat, noisy
from tests.tiny import WIDTH, WORDS, tiny_encoder

NAMES = ("faq", "topic", "likeness")


def matrix_of(base, experts) -> Tensor:
    return torch.stack([flat(expert) - flat(base) for expert in experts.values()])


# Positions


def test_zero_coefficients_give_the_base_bit_for_bit(base, vectors):
    assert weights_hash(vectors.at([0.0, 0.0, 0.0])) == weights_hash(base)
    assert weights_hash(vectors.at({module: [0.0] * 3 for module in vectors.modules})) == weights_hash(base)


def test_zero_coefficients_keep_the_sign_of_zeros(base):
    signed = deepcopy(base)
    with torch.no_grad():
        next(signed.parameters())[0].fill_(-0.0)
    vectors = TaskVectors.from_models(signed, {"a": noisy(signed, 1)})
    assert weights_hash(vectors.at([0.0])) == weights_hash(signed)


def test_one_hot_coefficients_give_the_expert(experts, vectors):
    for number, (name, expert) in enumerate(experts.items()):
        at = vectors.at([float(number == other) for other in range(3)])
        torch.testing.assert_close(flat(at), flat(expert), atol=3e-7, rtol=0)
        np.testing.assert_allclose(at.encode(["red apple"]), expert.encode(["red apple"]), atol=1e-5)
        assert name == vectors.names[number]


def test_a_position_is_a_model_of_its_own(base, experts):
    own = TaskVectors.from_models(deepcopy(base), experts)
    before = weights_hash(own.base)
    model = own.at([1.0, 0.0, 0.0])
    assert not model.training
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
    assert weights_hash(own.base) == before
    torch.testing.assert_close(own.matrix, matrix_of(base, experts).float(), atol=3e-7, rtol=0)


numbers = st.floats(-2, 2, allow_nan=False).map(lambda value: round(value, 3))


@settings(deadline=None, max_examples=20)
@given(st.lists(numbers, min_size=3, max_size=3), st.lists(numbers, min_size=3, max_size=3), numbers)
def test_positions_are_linear_in_the_coefficients(vectors, base, experts, left, right, scale):
    origin, matrix = flat(base), matrix_of(base, experts)
    combined = [scale * a + b for a, b in zip(left, right, strict=True)]
    moved = vectors.flat(combined).double() - origin
    torch.testing.assert_close(moved, torch.tensor(combined).double() @ matrix, atol=2e-6, rtol=0)
    parts = scale * (vectors.flat(left).double() - origin) + (vectors.flat(right).double() - origin)
    torch.testing.assert_close(moved, parts, atol=2e-6, rtol=0)


def test_permuted_vectors_with_permuted_coefficients_give_the_same_model(base, experts, vectors):
    turned = TaskVectors.from_models(base, {name: experts[name] for name in reversed(NAMES)})
    assert turned.names == NAMES[::-1]
    torch.testing.assert_close(turned.flat([0.3, 0.2, 0.1]), vectors.flat([0.1, 0.2, 0.3]), atol=3e-7, rtol=0)
    torch.testing.assert_close(turned.gram(), torch.flip(vectors.gram(), (0, 1)))


def test_module_wise_coefficients_move_only_their_module(base, vectors):
    coefficients = {module: [0.0, 0.0, 0.0] for module in vectors.modules} | {"layer.1.mlp": [0.5, 0.0, 1.0]}
    moved = dict(vectors.at(coefficients).named_parameters())
    for name, parameter in base.named_parameters():
        assert torch.equal(moved[name], parameter) == (module_of(name) != "layer.1.mlp")
    whole = dict(vectors.at([0.5, 0.0, 1.0]).named_parameters())
    for name, parameter in whole.items():
        if module_of(name) == "layer.1.mlp":
            torch.testing.assert_close(moved[name], parameter, atol=3e-7, rtol=0)


def test_equal_rows_are_the_model_wise_merge(vectors):
    rows = {module: [0.3, 0.5, -0.2] for module in vectors.modules}
    torch.testing.assert_close(vectors.flat(rows), vectors.flat([0.3, 0.5, -0.2]), atol=3e-7, rtol=0)


# Forms of coefficients


def test_every_form_of_coefficients_says_the_same(vectors):
    values = [0.1, -0.25, 0.7]
    by_name = dict(zip(NAMES, values, strict=True))
    turned = {name: by_name[name] for name in reversed(NAMES)}
    expected = torch.tensor([values], dtype=torch.float64)
    forms = [
        values,
        tuple(values),
        by_name,
        turned,
        pd.Series(by_name),
        pd.Series(turned),
        np.array(values),
        torch.tensor(values, dtype=torch.float64),
        torch.tensor(values, dtype=torch.float64, requires_grad=True),
        expected,
    ]
    for form in forms:
        assert torch.equal(vectors.coefficients(form), expected)  # float64 from end to end


def test_every_module_wise_form_says_the_same(vectors):
    rows = np.random.default_rng(0).normal(size=(len(vectors.modules), 3))
    table = pd.DataFrame(rows, index=list(vectors.modules), columns=list(NAMES))
    forms = [
        rows,
        torch.from_numpy(rows),
        table,
        table.iloc[::-1, ::-1],  # order does not matter where there are names
        {module: row.tolist() for module, row in zip(vectors.modules, rows, strict=True)},
        {
            module: dict(zip(NAMES, row.tolist(), strict=True))
            for module, row in zip(vectors.modules, rows, strict=True)
        },
        {module: table.loc[module] for module in reversed(vectors.modules)},
        {module: torch.from_numpy(row) for module, row in zip(vectors.modules, rows, strict=True)},
    ]
    for form in forms:
        np.testing.assert_array_equal(vectors.coefficients(form).numpy(), rows)


def test_whole_numbers_are_coefficients_too(no_type_check, vectors):
    assert vectors.coefficients([1, 0, 2]).tolist() == [[1.0, 0.0, 2.0]]
    assert vectors.coefficients({"faq": torch.tensor(0.5), "topic": np.float32(0.25), "likeness": 1}).tolist() == [
        [0.5, 0.25, 1.0]
    ]


@pytest.mark.parametrize(
    ("given_", "message"),
    [
        ([0.5, 0.5], "one entry per task vector. Found 2 for 3 task vectors ('faq', 'topic', 'likeness')"),
        (torch.zeros(2, 2), "one row per module. Found 2 for"),
        ({"faq": 0.5, "topic": 0.5}, "must name each task vector once. Found 'faq', 'topic'"),
        ({"faq": 0.5, "topic": 0.5, "topics": 0.5}, "Found 'faq', 'topic', 'topics'"),
        ([0.5, float("nan"), 0.5], "must be finite"),
        ([0.5, float("inf"), 0.5], "must be finite"),
        (pd.Series([0.1, 0.2, 0.3, 0.4], index=["faq", "topic", "likeness", "faq"]), "must name each task vector once"),
        ({"embeddings": [0.1, 0.2, 0.3]}, "must name each module once"),
        (0.5, "Found 1 for 3"),
        (["a", "b", "c"], "must be numbers"),
        ([0.5, None, 0.5], "must be numbers"),
        ({}, "must name each task vector once"),
    ],
)
def test_wrong_coefficients_are_refused(no_type_check, vectors, given_, message):
    with pytest.raises(SpkitError, match=re.escape(message)):
        vectors.at(given_)


def test_a_table_with_a_module_twice_is_refused(vectors):
    modules = [*vectors.modules, vectors.modules[0]]
    with pytest.raises(SpkitError, match="must name each module once"):
        vectors.at(pd.DataFrame(0.5, index=modules, columns=list(NAMES)))


# Geometry


def test_gram_norms_and_cosines_are_those_of_the_vectors(base, experts, vectors):
    matrix = matrix_of(base, experts).float().double()  # vectors are held in float32
    gram = vectors.gram()
    assert gram.dtype == torch.float64
    torch.testing.assert_close(gram, matrix @ matrix.T, rtol=1e-6, atol=1e-9)
    assert list(vectors.norms().index) == list(NAMES)
    np.testing.assert_allclose(vectors.norms(), matrix.norm(dim=1), rtol=1e-6)
    cosines = vectors.cosines()
    np.testing.assert_allclose(cosines, np.corrcoef(matrix.numpy()), atol=0.01)  # noise of mean zero
    assert cosines.loc["faq", "topic"] == pytest.approx(
        float(torch.nn.functional.cosine_similarity(matrix[0], matrix[1], 0)), abs=1e-9
    )
    np.testing.assert_allclose(np.diag(cosines), 1.0)


def test_module_grams_sum_to_the_whole_and_are_copies(vectors):
    by_module = vectors.gram(by="module")
    assert tuple(by_module) == vectors.modules
    torch.testing.assert_close(sum(by_module.values()), vectors.gram(), rtol=1e-12, atol=0)
    for name, gram in by_module.items():
        block = torch.cat([vectors.matrix[:, place] for place in vectors.layout.modules[name]], 1).double()
        torch.testing.assert_close(gram, block @ block.T, rtol=1e-10, atol=0)
    by_module["embeddings"].zero_()
    assert vectors.gram(by="module")["embeddings"].any()


def test_gram_is_accumulated_in_float64(base):
    """In float32 the small entries would vanish beside the large one."""
    size = Layout.of(base).size
    matrix = torch.full((1, size), 1e-4)
    matrix[0, 0] = 100.0
    exact = float(matrix[0, 0].double() ** 2 + (size - 1) * matrix[0, 1].double() ** 2)
    assert float(TaskVectors(base, ["a"], matrix).gram()) == pytest.approx(exact, rel=1e-12)


def test_gram_in_blocks_is_the_same(base, experts, vectors, monkeypatch):
    monkeypatch.setattr("spkit.vectors.matrix.BLOCK_BYTES", 4096)
    torch.testing.assert_close(TaskVectors.from_models(base, experts).gram(), vectors.gram(), rtol=1e-12, atol=0)


def test_gram_by_something_else_is_refused(no_type_check, vectors):
    with pytest.raises(SpkitError, match="`by` must be None or 'module'"):
        vectors.gram(by="layer")


# Projections


def loss_of(
    model: SentenceTransformer, features: dict[str, Tensor], parameters: dict[str, Tensor] | None = None
) -> Tensor:
    """A smooth loss of the embeddings of two texts."""
    if parameters is None:
        out = model(dict(features))
    else:
        out = torch.func.functional_call(model, parameters, (dict(features),))
    left, right = out["sentence_embedding"]
    return 1 - torch.cosine_similarity(left, right, 0) + 0.1 * left.square().mean()


@pytest.fixture(scope="module")
def features(base) -> dict[str, Tensor]:
    return base.preprocess(["red apple found", "where is the river"])


def projected(vectors: TaskVectors, features: dict[str, Tensor], at: list[float]) -> Tensor:
    model = vectors.at(at)
    loss_of(model, features).backward()
    return vectors.project({name: p.grad for name, p in model.named_parameters() if p.grad is not None})


def test_projection_is_the_gradient_through_the_merge(base, vectors, features):
    at = [0.4, 0.3, -0.2]
    coefficients = torch.tensor(at, requires_grad=True)
    merged = {
        name: parameter.detach() + torch.tensordot(coefficients, vectors.matrix[:, place].view(3, *parameter.shape), 1)
        for (name, parameter), place in zip(base.named_parameters(), vectors.layout.slices.values(), strict=True)
    }
    loss_of(copy_model(base), features, merged).backward()
    assert coefficients.grad is not None
    torch.testing.assert_close(projected(vectors, features, at).float(), coefficients.grad, rtol=1e-4, atol=1e-6)


def test_projection_is_the_finite_difference(base, vectors, features):
    at, model = [0.4, 0.3, -0.2], deepcopy(base).double()
    origin, matrix = flat(base), vectors.matrix.double()

    def loss_at(coefficients: Tensor) -> float:
        place = origin + coefficients @ matrix
        parameters = {
            name: place[where].view(shape)
            for (name, where), shape in zip(vectors.layout.slices.items(), vectors.layout.shapes, strict=True)
        }
        with torch.no_grad():
            return float(loss_of(model, features, parameters))

    middle, step = torch.tensor(at, dtype=torch.float64), 1e-5
    differences = torch.stack(
        [torch.tensor((loss_at(middle + step * e) - loss_at(middle - step * e)) / (2 * step)) for e in torch.eye(3)]
    )
    torch.testing.assert_close(projected(vectors, features, at), differences.double(), rtol=1e-4, atol=1e-6)


def test_projections_by_module_sum_to_the_whole(vectors):
    generator = torch.Generator().manual_seed(0)
    gradients = {
        name: torch.randn(shape, generator=generator)
        for name, shape in zip(vectors.layout.names, vectors.layout.shapes, strict=True)
    }
    by_module = vectors.project_modules(gradients)
    assert by_module.shape == (len(vectors.modules), 3)
    torch.testing.assert_close(by_module.sum(0), vectors.project(gradients))
    for number, module in enumerate(vectors.modules):
        own = {name: gradient for name, gradient in gradients.items() if module_of(name) == module}
        torch.testing.assert_close(vectors.project(own), by_module[number])
        assert not vectors.project_modules(own)[torch.arange(len(vectors.modules)) != number].any()
    everything = torch.cat([gradient.flatten().double() for gradient in gradients.values()])
    torch.testing.assert_close(vectors.project(gradients), vectors.matrix.double() @ everything, rtol=1e-4, atol=1e-4)


def test_missing_gradients_count_as_zero(vectors):
    names = vectors.layout.names
    gradients = {name: torch.ones(shape) for name, shape in zip(names, vectors.layout.shapes, strict=True)}
    some = {name: gradients[name] for name in names[::2]}
    zeros = {name: torch.zeros_like(gradient) for name, gradient in gradients.items()}
    assert torch.equal(vectors.project(some), vectors.project(zeros | some))
    assert torch.equal(vectors.project(some), vectors.project(dict.fromkeys(names) | some))
    assert torch.equal(vectors.project({}), torch.zeros(3, dtype=torch.float64))


def test_half_precision_gradients_are_taken(vectors):
    name, shape = vectors.layout.names[0], vectors.layout.shapes[0]
    half, whole = {name: torch.ones(shape, dtype=torch.bfloat16)}, {name: torch.ones(shape)}
    assert torch.equal(vectors.project(half), vectors.project(whole))


def test_wrong_gradients_are_refused(vectors):
    name = vectors.layout.names[0]
    with pytest.raises(SpkitError, match=r"Found the unknown names 'weight'"):
        vectors.project({"weight": torch.ones(2)})
    with pytest.raises(SpkitError, match=re.escape(f"Found (2, 2) for {name!r} of shape")):
        vectors.project({name: torch.ones(2, 2)})


# Making vectors


def test_names_length_and_size(base, vectors):
    assert vectors.names == NAMES
    assert len(vectors) == 3
    assert vectors.num_parameters == sum(parameter.numel() for parameter in base.parameters())
    assert repr(vectors).startswith("TaskVectors('faq', 'topic', 'likeness'; ")
    assert vectors.modules == (
        "embeddings", "layer.0.attention", "layer.0.mlp", "layer.1.attention", "layer.1.mlp", "pooler"
    )  # fmt: skip


def test_selection_keeps_the_order_given(vectors):
    chosen = vectors.select(["likeness", "faq"])
    assert chosen.names == ("likeness", "faq")
    assert torch.equal(chosen.matrix, vectors.matrix[[2, 0]])
    for names in (["faq", "nli"], []):
        with pytest.raises(SpkitError, match="must be names of task vectors"):
            vectors.select(names)
    with pytest.raises(SpkitError, match="names that differ"):
        vectors.select(["faq", "faq"])


def test_trim_elect_and_drop_give_new_vectors(vectors):
    before = vectors.matrix.clone()
    trimmed = vectors.trim(0.25, scope="tensor")
    for place in vectors.layout.slices.values():
        shares = (trimmed.matrix[:, place] != 0).float().mean(1)
        np.testing.assert_allclose(shares, 0.25, atol=0.01)
    whole = vectors.trim(0.25)
    np.testing.assert_allclose((whole.matrix != 0).float().mean(1), 0.25, atol=1e-4)
    assert not torch.equal(whole.matrix, trimmed.matrix)
    signs = trimmed.matrix.sum(0).sign()
    agree = (trimmed.matrix.sign() == signs) & (signs != 0)
    mean = (trimmed.matrix * agree).sum(0) / agree.sum(0).clamp(min=1)
    elected = trimmed.elect()
    torch.testing.assert_close(elected.flat([1.0] * 3), elected.flat([0.0] * 3) + mean, atol=3e-7, rtol=0)
    assert torch.equal(vectors.drop(0.5, seed=1).matrix, vectors.drop(0.5, seed=1).matrix)
    assert elected.names == vectors.names
    assert elected.base is vectors.base
    assert torch.equal(vectors.matrix, before)


def test_an_unknown_attribute_says_what_was_meant(vectors):
    with pytest.raises(AttributeError, match=r"TaskVectors has no attribute 'nroms'\. Did you mean 'norms'"):
        vectors.nroms  # noqa: B018
    assert not hasattr(vectors, "_nothing")
    assert "trim" in dir(vectors)
    assert torch.equal(copy.copy(vectors).matrix, vectors.matrix)


def test_no_experts_at_all_are_refused(base):
    with pytest.raises(SpkitError, match="at least one expert"):
        TaskVectors.from_models(base, {})


def test_a_matrix_that_does_not_fit_is_refused(base, vectors):
    with pytest.raises(SpkitError, match="one row per name and one column per parameter"):
        TaskVectors(base, ["a"], torch.zeros(1, 7))
    broken = vectors.matrix.clone()
    broken[1, -1] = float("inf")
    with pytest.raises(SpkitError, match=re.escape("in 'topic', parameters '0.model.pooler.dense.bias'")):
        TaskVectors(base, NAMES, broken)


def test_large_finite_values_are_finite(base, vectors):
    TaskVectors(base, ["a"], torch.full((1, vectors.num_parameters), 3e38))


# Models that do not fit


def refused(base, model, message: str) -> None:
    with pytest.raises(SpkitError, match=message):
        TaskVectors.from_models(base, {"mine": model})


def test_another_number_of_layers_is_refused(base):
    refused(base, tiny_encoder(0, WORDS, layers=3), r"'mine': num_hidden_layers of module 0 is 3, the base has 2")


def test_another_vocabulary_is_refused(base):
    refused(base, tiny_encoder(words=["apple"]), "another vocabulary")


def test_other_words_in_a_vocabulary_of_equal_size_are_refused():
    refused(tiny_encoder(words=["apple"]), tiny_encoder(words=["river"]), "another vocabulary")


def test_another_pooling_is_refused(base):
    model = SentenceTransformer(modules=[deepcopy(base[0]), Pooling(WIDTH, pooling_mode="cls")], device="cpu")
    refused(base, model, "pooling_mode.* of module 1 is")


def test_an_additional_module_is_refused(base):
    model = SentenceTransformer(modules=[*deepcopy(base), Dense(WIDTH, 8)], device="cpu")
    refused(base, model, "module 2 is Dense, the base has nothing")
    refused(model, deepcopy(base), "module 2 is nothing, the base has Dense")


def test_an_unrelated_model_of_the_same_architecture_is_refused(base):
    model = tiny_encoder(9, WORDS)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim == 1:  # LayerNorm's ones alone make small random models look alike
                parameter.copy_(torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1)))
    refused(base, model, "comes from another base")


def test_a_model_marked_with_another_base_is_refused_and_one_with_this_base_is_not(base, tmp_path):
    model = noisy(base, 1)
    mark_base(model, "0" * 64)
    refused(base, model, "'mine', trained from weights 000000000000…, while the base's weights are ")
    mark_base(model, weights_hash(base))
    model.save(str(tmp_path / "expert"))
    assert base_mark(load_model(tmp_path / "expert")) == weights_hash(base)
    assert TaskVectors.from_models(base, {"mine": tmp_path / "expert"}).names == ("mine",)


def test_siblings_of_one_training_fit_each_other(base):
    """Sequential training: each stage's model bears the mark of the first base."""
    first, second = noisy(base, 1), noisy(base, 2)
    for model in (first, second):
        mark_base(model, weights_hash(base))
    assert len(TaskVectors.from_models(first, {"second": second})) == 1


def test_a_weight_that_is_no_number_is_refused(base):
    model = noisy(base, 1)
    with torch.no_grad():
        model[0].model.pooler.dense.bias[0] = float("nan")
    refused(base, model, r"0\.model\.pooler\.dense\.bias holds values that are not finite")


def test_another_buffer_is_refused(base):
    model = noisy(base, 1)
    model[0].model.embeddings.position_ids[0, 0] = 7
    refused(base, model, r"the buffer 0\.model\.embeddings\.position_ids differs")
    model = noisy(base, 1)
    model[1].register_buffer("extra", torch.ones(1))
    refused(base, model, r"the buffer 1\.extra differs")


def test_other_shapes_and_parameters_are_refused(base):
    model = noisy(base, 1)
    model[0].model.pooler.dense.bias = nn.Parameter(torch.zeros(3))
    refused(base, model, r"pooler\.dense\.bias has shape \(3,\), the base's \(32,\)")
    model = noisy(base, 1)
    model[0].model.encoder.layer[1].output.dense.bias = None
    refused(base, model, r"it lacks the parameter 0\.model\.encoder\.layer\.1\.output\.dense\.bias")
    model = noisy(base, 1)
    model[0].model.encoder.layer.append(deepcopy(model[0].model.encoder.layer[1]))
    refused(base, model, r"it has the parameter 0\.model\.encoder\.layer\.2")


def test_a_parameter_that_no_text_goes_through_is_no_difference(base):
    model = noisy(base, 1)
    model[0].model.pooler = None
    model[1].register_parameter("scale", nn.Parameter(torch.ones(1)))
    vectors = TaskVectors.from_models(base, {"mine": model})
    assert not vectors.matrix[0, vectors.layout.slices["0.model.pooler.dense.weight"]].any()


def test_more_differences_are_counted(base):
    model = noisy(base, 1)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(float("nan"))
    refused(base, model, r"\(and 36 more\)")


def test_a_model_equal_to_the_base_is_refused(base):
    refused(base, deepcopy(base), "'mine' equal to the base in every weight")


def test_a_model_that_cannot_be_loaded_is_refused(base, tmp_path):
    refused(base, tmp_path / "nowhere", "there is no such folder")
    (tmp_path / "faqs").mkdir()
    (tmp_path / ".hidden").mkdir()
    refused(base, tmp_path / "faq", "there is no such folder; beside it are 'faqs'\\.")
    refused(base, "~nobody-here/faq", "there is no such folder")


def test_a_folder_at_home_is_found(base, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    save_model(noisy(base, 1), tmp_path / "faq")
    vectors = TaskVectors.from_models(base, {"faq": "~/faq"})
    assert vectors.provenance.experts == {"faq": str(tmp_path / "faq")}


def test_a_named_base_cuts_texts_where_its_experts_do(base, tmp_path):
    for name, length in (("a", 16), ("b", 16), ("c", 12)):
        model = noisy(base, len(name))
        model.max_seq_length = length
        save_model(model, tmp_path / name)
    save_model(base, tmp_path / "base")

    def length_over(given, names, **more):
        experts = {name: tmp_path / name for name in names}
        return TaskVectors.from_models(given, experts, **more).base.max_seq_length

    with pytest.warns(UserWarning, match="texts are cut 16 of all experts stays"):
        assert length_over(tmp_path / "base", "ab") == 16
    with pytest.warns(UserWarning, match="stays"):
        assert length_over(tmp_path / "base", "ab", folder=tmp_path / "vectors") == 16
    with pytest.warns(UserWarning, match="experts differ in the length"):
        assert length_over(tmp_path / "base", "abc") == base.max_seq_length
    assert length_over(copy_model(base), "ab") == base.max_seq_length  # a model given keeps its own
    with pytest.warns(UserWarning, match="stays"):
        merged = merge(tmp_path / "base", [tmp_path / "a", tmp_path / "b"], "mergekit:linear", weight=0.5)
    assert merged.max_seq_length == 16
    merged = merge(copy_model(base), [tmp_path / "a", tmp_path / "b"], "mergekit:linear", weight=0.5)
    assert merged.max_seq_length == base.max_seq_length


def test_a_difference_in_the_cut_length_is_no_difference(base):
    model = noisy(base, 1)
    model.max_seq_length = 16
    assert len(TaskVectors.from_models(base, {"mine": model})) == 1


# Ties and buffers


def tied(base: SentenceTransformer) -> SentenceTransformer:
    model = deepcopy(base)
    layers = model[0].model.encoder.layer
    layers[1].output.dense = layers[0].output.dense
    model[1].register_buffer("steps", torch.tensor([3]))
    return model


def test_tied_weights_and_integer_buffers_stay(base):
    start = tied(base)
    expert = noisy(start, 1)
    vectors = TaskVectors.from_models(start, {"a": expert})
    assert vectors.num_parameters == sum(parameter.numel() for parameter in start.parameters())
    model = vectors.at([0.5])
    layers = model[0].model.encoder.layer
    assert layers[1].output.dense.weight is layers[0].output.dense.weight
    expected = (flat(start) + flat(expert)) / 2
    torch.testing.assert_close(flat(model), expected, atol=3e-7, rtol=0)
    steps = dict(model.named_buffers())["1.steps"]
    assert steps.dtype == torch.int64
    assert steps.item() == 3


def test_a_model_with_other_ties_is_refused(base):
    """Names and shapes are the same; only which of them share a tensor differs."""
    start, model = deepcopy(base), deepcopy(base)
    for one, (query, key) in ((start, ("query", "key")), (model, ("key", "query"))):
        first, second = (layer.attention.self for layer in one[0].model.encoder.layer)
        second.query, second.key = getattr(first, query), getattr(first, key)
    refused(start, noisy(model, 1), "it ties other weights to each other")
    assert len(TaskVectors.from_models(start, {"mine": noisy(start, 1)})) == 1


# The layout


@pytest.mark.parametrize(
    ("parameter", "module"),
    [
        ("0.model.layers.3.self_attn.q_proj.weight", "layer.3.attention"),  # Qwen
        ("0.model.layers.3.mlp.up_proj.weight", "layer.3.mlp"),
        ("0.model.encoder.block.1.layer.0.SelfAttention.q.weight", "layer.1.attention"),  # T5
        ("0.model.encoder.block.1.layer.1.DenseReluDense.wo.weight", "layer.1.mlp"),
        ("0.model.transformer.layer.0.ffn.lin1.weight", "layer.0.mlp"),  # DistilBERT
        ("0.model.wte.weight", "embeddings"),
        ("0.embedding.weight", "embeddings"),  # static embeddings
        ("0.model.pooler.dense.weight", "pooler"),
        ("weight", "weight"),
    ],
)
def test_modules_of_other_architectures(parameter, module):
    assert module_of(parameter) == module


def test_the_layout_covers_each_parameter_once(base):
    layout = Layout.of(base)
    seen = torch.zeros(layout.size, dtype=torch.int64)
    for places in layout.modules.values():
        for place in places:
            seen[place] += 1
    assert (seen == 1).all()
    assert torch.equal(layout.flatten(dict(base.named_parameters())).double(), flat(base))


def test_a_copy_has_no_gradients_and_the_model_keeps_its_own(base):
    model = deepcopy(base).train()
    next(model.parameters()).grad = torch.ones_like(next(model.parameters()))
    copied = copy_model(model)
    assert all(parameter.grad is None for parameter in copied.parameters())
    assert next(model.parameters()).grad is not None
    assert not copied.training
    assert model.training


def test_half_precision_bases_keep_their_precision(base):
    half = deepcopy(base).bfloat16()
    vectors = TaskVectors.from_models(half, {"a": noisy(base, 1)})
    assert {parameter.dtype for parameter in vectors.at([0.5]).parameters()} == {torch.bfloat16}
    assert weights_hash(vectors.at([0.0])) == weights_hash(half)


# The folder on disk


@pytest.fixture
def saved(vectors, tmp_path):
    vectors.save(tmp_path / "vectors")
    return tmp_path / "vectors"


def test_a_saved_folder_works_alone(vectors, saved):
    loaded = TaskVectors.load(str(saved))
    assert loaded.names == NAMES
    assert torch.equal(loaded.matrix, vectors.matrix)
    assert loaded.base_hash == vectors.base_hash
    assert weights_hash(loaded.at([0.1, 0.2, 0.3])) == weights_hash(vectors.at([0.1, 0.2, 0.3]))
    torch.testing.assert_close(loaded.gram(), vectors.gram(), rtol=0, atol=0)


def test_a_loaded_matrix_is_mapped_and_not_read(saved):
    maps = Path("/proc/self/maps")
    if not maps.exists():
        pytest.skip("only Linux lists what a process has mapped")
    loaded = TaskVectors.load(saved)
    assert str(saved / "vectors.safetensors") in maps.read_text()
    assert loaded.matrix.any()


def test_saving_over_what_was_loaded_from_there(saved):
    loaded = TaskVectors.load(saved)
    expected = loaded.matrix.clone()[:2]
    loaded.select(["faq", "topic"]).save(saved)
    again = TaskVectors.load(saved)
    assert again.names == ("faq", "topic")
    assert torch.equal(again.matrix, expected)
    assert torch.equal(loaded.matrix[:2], expected)  # still mapped
    assert [path.name for path in saved.parent.iterdir()] == [saved.name]


def test_a_missing_file_is_refused(saved, tmp_path):
    with pytest.raises(SpkitError, match=r"must hold vectors\.safetensors and base/"):
        TaskVectors.load(tmp_path / "nowhere")
    (saved / "base" / "modules.json").rename(saved / "modules.json")
    (saved / "base").rename(saved / "gone")
    with pytest.raises(SpkitError, match=r"'base/1_Pooling/config\.json'.* missing, damaged or changed since"):
        TaskVectors.load(saved)


@pytest.mark.parametrize("kept", [0.0, 0.01, 0.5, 0.999])
def test_a_truncated_file_is_refused(saved, kept):
    path = saved / "vectors.safetensors"
    data = path.read_bytes()
    path.write_bytes(data[: int(kept * len(data))])
    with pytest.raises(SpkitError, match=r"vectors\.safetensors must be whole.*cannot be read"):
        TaskVectors.load(saved)


def test_a_file_without_names_is_refused(saved):
    path = saved / "vectors.safetensors"
    tensors = {name: tensor.clone() for name, tensor in load_file(path).items()}
    save_file(tensors, path)
    with pytest.raises(SpkitError, match="without 'names', 'base_hash'"):
        TaskVectors.load(saved)


def test_a_changed_base_is_refused(base, saved):
    noisy(base, 8, 1e-4).save(str(saved / "base"))
    with pytest.raises(SpkitError, match=r"'base/model\.safetensors' in .* missing, damaged or changed since"):
        TaskVectors.load(saved)
    (saved / ".spkit.json").unlink()  # as former versions saved it
    refused = pytest.raises(SpkitError, match="must be the one that the task vectors were made with")
    with refused, pytest.warns(UserWarning, match="damage is not noticed"):
        TaskVectors.load(saved)


def test_an_interrupted_save_leaves_the_old_folder(vectors, saved, monkeypatch):
    def stop(*args, **kwargs):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(storage, "save_file", stop)
        with pytest.raises(KeyboardInterrupt):
            vectors.select(["faq"]).save(saved)
    assert TaskVectors.load(saved).names == NAMES
    vectors.select(["faq"]).save(saved)  # and the next save is not hindered by what it left
    assert TaskVectors.load(saved).names == ("faq",)
    assert [path.name for path in saved.parent.iterdir()] == [saved.name]


def test_a_save_never_replaces_something_else(base, vectors, tmp_path):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.txt").write_text("years of work")
    for save in (vectors.save, lambda folder: save_model(base, folder)):
        with pytest.raises(SpkitError, match="which spkit did not write"):
            save(tmp_path / "thesis")
    assert (tmp_path / "thesis" / "chapter.txt").read_text() == "years of work"
    (tmp_path / "empty").mkdir()
    vectors.save(tmp_path / "empty")
    save_model(base, tmp_path / "model")
    save_model(base, tmp_path / "model")
    assert weights_hash(load_model(tmp_path / "model")) == weights_hash(base)


# Bases


def test_a_base_can_be_cut_shorter(base, tmp_path):
    save_model(base, tmp_path / "base")
    assert load_base(tmp_path / "base", max_seq_length=7).max_seq_length == 7
    with pytest.raises(SpkitError, match="`max_seq_length` must be positive"):
        load_base(tmp_path / "base", max_seq_length=0)


def test_an_unknown_base_says_which_are_bundled():
    with pytest.raises(SpkitError, match=r"Found 'minilm-l4'.*bundled are 'minilm-l6', 'minilm-l3'"):
        load_base("minilm-l4")
