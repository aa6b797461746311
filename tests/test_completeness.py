"""What a model's files lack: needed parameters are refused by name, parameters that no text reaches count nowhere."""

from copy import deepcopy
from functools import partial

import pytest
import torch
import transformers
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Dense, Normalize, Router, Transformer
from sentence_transformers.sentence_transformer.modules import Pooling, StaticEmbedding

from spkit.errors import SpkitError
from spkit.hashing import weights_hash
from spkit.merging.methods import merge
from spkit.models.bases import load_base, load_model
from spkit.models.completeness import unheld, without_unheld
from spkit.models.reading import parameters_read
from spkit.saving.recipe import save_model
from spkit.training import train
from spkit.vectors.task_vectors import TaskVectors
from tests.experts import noisy
from tests.folders import plain_folder, rewrite
from tests.tiny import WIDTH, tiny_tasks, tiny_tokenizer

HEADED = transformers.AutoModelForMaskedLM  # its checkpoints have no pooler
TEXTS = ["red apple in the garden", "where is the violin"]


def moved(model: SentenceTransformer, seed: int, size: float = 0.002) -> SentenceTransformer:
    """A model that training has moved: noise on what a text goes through, and nowhere else."""
    read = parameters_read(model)
    generator, expert = torch.Generator().manual_seed(seed), deepcopy(model)
    with torch.no_grad():
        for name, parameter in expert.named_parameters():
            if name in read:
                parameter.add_(size * torch.randn(parameter.shape, generator=generator))
    return expert


def true_norm(base: SentenceTransformer, expert: SentenceTransformer) -> float:
    ours, theirs = dict(base.named_parameters()), dict(expert.named_parameters())
    return sum(float((theirs[n] - ours[n]).detach().double().square().sum()) for n in parameters_read(base)) ** 0.5


@pytest.fixture(params=["xlm-roberta", "bert", "albert", "squeezebert", "mpnet"])
def headed(request, tmp_path):
    """A folder without pooler, of an architecture that has one."""
    folder = plain_folder(tmp_path / "plain", request.param, HEADED)
    return rewrite(folder, lambda held: {key: one for key, one in held.items() if "pooler" not in key})


def test_a_folder_has_one_hash(headed):
    first, second = load_base(headed), load_base(headed)
    assert weights_hash(first) == weights_hash(second)
    assert not any("pooler" in name for name, _ in first.named_parameters())
    by_others = SentenceTransformer(str(headed), device="cpu")
    assert any("pooler" in name for name, _ in by_others.named_parameters())
    assert torch.equal(torch.tensor(first.encode(TEXTS)), torch.tensor(by_others.encode(TEXTS)))


def test_random_poolers_of_experts_count_nowhere(headed, tmp_path):
    base, experts = load_base(headed), {}
    for seed, name in enumerate(("faq", "sts")):  # each program fills the pooler with numbers of its own, and saves it
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            expert = moved(SentenceTransformer(str(headed), device="cpu"), seed)
        expert.save(str(tmp_path / name))
        experts[name] = expert
    for given in ({name: tmp_path / name for name in experts}, experts):
        for start in (headed, base, SentenceTransformer(str(headed), device="cpu")):
            vectors = TaskVectors.from_models(start, given)
            for name, norm in vectors.norms().items():
                assert norm == pytest.approx(true_norm(base, experts[str(name)]), rel=1e-5)
            assert abs(vectors.cosines().iloc[0, 1]) < 0.05
            assert vectors.num_parameters == sum(p.numel() for p in base.parameters())
            kept = vectors.trim(0.2).matrix != 0
            assert float(kept.float().mean()) == pytest.approx(0.2, abs=1e-3)


def test_a_trained_expert_is_one_of_its_folder(tmp_path):
    folder, task = plain_folder(tmp_path / "plain", "xlm-roberta", HEADED), tiny_tasks()["faq"]
    for start in (load_base(folder), SentenceTransformer(str(folder), device="cpu")):
        expert = train(start, task, steps=2, batch_size=8, progress=False)
        save_model(expert, tmp_path / "expert")
        for given in (expert, tmp_path / "expert"):
            assert 0 < float(TaskVectors.from_models(folder, {"faq": given}).norms().iloc[0]) < 1


def test_vectors_and_merges_of_such_a_base_are_saved_and_loaded(tmp_path):
    folder = plain_folder(tmp_path / "plain", "bert", HEADED)
    base = load_base(folder)
    vectors = TaskVectors.from_models(folder, {"a": moved(base, 1), "b": moved(base, 2)})
    vectors.save(tmp_path / "vectors")
    again = TaskVectors.load(tmp_path / "vectors")
    assert torch.equal(again.matrix, vectors.matrix)
    merged = again.at([0.5, 0.5])
    save_model(merged, tmp_path / "merged")
    assert weights_hash(load_model(tmp_path / "merged")) == weights_hash(merged)
    written = TaskVectors.from_models(folder, {"a": moved(base, 1)}, folder=tmp_path / "written")
    assert torch.equal(written.matrix[0], vectors.matrix[0])


def test_mergekit_takes_such_models(tmp_path):
    folder = plain_folder(tmp_path / "plain", "bert", HEADED)
    base = load_base(folder)
    experts = {"a": moved(SentenceTransformer(str(folder), device="cpu"), 1), "b": moved(base, 2)}
    merged = merge(folder, experts, "mergekit:linear", weight=0.5)
    ours = merge(folder, experts, "average")
    torch.testing.assert_close(dict(merged.named_parameters()), dict(ours.named_parameters()), atol=1e-6, rtol=0)


def test_an_expert_without_the_pooler_of_its_base_is_taken(tmp_path):
    folder = plain_folder(tmp_path / "plain")
    base = load_base(folder)
    moved(base, 1).save(str(tmp_path / "expert"))
    rewrite(tmp_path / "expert", lambda held: {key: one for key, one in held.items() if "pooler" not in key})
    for given in (tmp_path / "expert", SentenceTransformer(str(tmp_path / "expert"), device="cpu")):
        vectors = TaskVectors.from_models(base, {"a": given})
        assert float(vectors.norms().iloc[0]) == pytest.approx(true_norm(base, moved(base, 1)), rel=1e-5)
        assert not vectors.matrix[0, vectors.layout.slices["0.model.pooler.dense.weight"]].any()


def test_parameters_that_the_files_hold_count_as_they_do_in_any_merge(tmp_path):
    base = load_base(plain_folder(tmp_path / "plain"))
    assert TaskVectors.from_models(base, {"a": noisy(base, 1)}).num_parameters == sum(
        p.numel() for p in base.parameters()
    )
    assert any("pooler" in name for name, _ in base.named_parameters())


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "0.auto_model.", "encoder."])
def test_other_names_in_the_file_are_refused(tmp_path, prefix):
    folder = plain_folder(tmp_path / "plain")
    base = load_base(folder)
    base.save(str(tmp_path / "base"))
    moved(base, 1).save(str(tmp_path / "expert"))
    rewrite(tmp_path / "expert", lambda held: {prefix + key: one for key, one in held.items()})
    for load in (load_base, load_model, lambda one: TaskVectors.from_models(tmp_path / "base", {"x": one})):
        with pytest.raises(SpkitError, match=r"word_embeddings|LayerNorm"):
            load(tmp_path / "expert")


@pytest.mark.parametrize("lost", ["layer.1.", "word_embeddings", "layer.0.output.LayerNorm.bias"])
def test_lost_tensors_are_refused_by_name(tmp_path, lost):
    folder = plain_folder(tmp_path / "plain", auto=HEADED)
    rewrite(folder, lambda held: {key: one for key, one in held.items() if lost not in key and "decoder" not in key})
    with pytest.raises(SpkitError, match=lost.replace(".", r"\.")):
        load_base(folder)


def test_lost_tensors_of_other_modules_are_refused(tmp_path):
    transformer = Transformer(str(plain_folder(tmp_path / "plain")))
    model = SentenceTransformer(modules=[transformer, Pooling(WIDTH), Dense(WIDTH, 16), Normalize()], device="cpu")
    model.save(str(tmp_path / "model"))
    dense = tmp_path / "model" / "2_Dense"
    for change in ({"linear.weight": None}, {"linear.bias": None}):
        rewrite(dense, partial(_less, names=change))
        with pytest.raises(SpkitError, match="linear"):
            load_base(tmp_path / "model")


def _less(held, names):
    return {key: one for key, one in held.items() if key not in names}


def test_a_static_model_without_its_embeddings_is_refused(tmp_path):
    static = StaticEmbedding(tiny_tokenizer().backend_tokenizer, embedding_dim=8)
    SentenceTransformer(modules=[static], device="cpu").save(str(tmp_path / "static"))
    file = next((tmp_path / "static").rglob("model.safetensors"))
    rewrite(file.parent, lambda held: {f"module.{key}": one for key, one in held.items()})
    with pytest.raises(SpkitError, match="embedding"):
        load_base(tmp_path / "static")


def test_every_route_is_a_way_of_a_text(tmp_path):
    static = StaticEmbedding(tiny_tokenizer().backend_tokenizer, embedding_dim=WIDTH)
    document = [Transformer(str(plain_folder(tmp_path / "plain"))), Pooling(WIDTH)]
    model = SentenceTransformer(modules=[Router.for_query_document([static], document)], device="cpu")
    unread = set(dict(model.named_parameters())) - parameters_read(model)
    assert unread
    assert all("pooler" in name for name in unread)
    model.save(str(tmp_path / "router"))
    rewrite(
        next(file.parent for file in (tmp_path / "router").rglob("model.safetensors") if "Transformer" in str(file)),
        lambda held: {key: one for key, one in held.items() if "pooler" not in key},
    )
    assert weights_hash(load_base(tmp_path / "router")) == weights_hash(load_base(tmp_path / "router"))


def test_looking_at_a_model_leaves_it_as_it_was(base):
    model = deepcopy(base).train()
    next(model.parameters()).requires_grad_(False)
    before = [(one.requires_grad, one.grad) for one in model.parameters()]
    parameters_read(model)
    assert [(one.requires_grad, one.grad) for one in model.parameters()] == before
    assert all(module.training for module in model.modules())


def test_what_is_read_is_what_a_gradient_reaches(base):
    model = deepcopy(base)
    model(model.preprocess(["red apple"]))["sentence_embedding"].sum().backward()
    assert parameters_read(model) == {name for name, one in model.named_parameters() if one.grad is not None}


def test_of_models_in_memory_only_known_gaps_are_left_out(base, tmp_path):
    assert unheld(base) == set()
    assert unheld(deepcopy(base)) == set()
    folder = plain_folder(tmp_path / "plain", auto=HEADED)
    model = SentenceTransformer(str(folder), device="cpu")
    before = weights_hash(model)
    assert unheld(model) == {"0.model.pooler.dense.weight", "0.model.pooler.dense.bias"}
    assert without_unheld(model) is not model
    assert weights_hash(model) == before  # the user's own stays as it is
    assert without_unheld(base) is base


def test_files_of_a_model_are_seen_to_be_a_pointer(tmp_path):
    folder = plain_folder(tmp_path / "plain")
    (folder / "model.safetensors").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 9\n")
    with pytest.raises(SpkitError, match="git lfs pull"):
        load_base(folder)


def test_a_repository_of_the_cache_names_its_version(tmp_path):
    version = tmp_path / "models--me--faq" / "snapshots" / ("0" * 40)
    plain_folder(version)
    with pytest.raises(SpkitError, match=str(version)):
        load_base(tmp_path / "models--me--faq")
    assert isinstance(load_base(version), SentenceTransformer)
