"""Models belong together by what decides an embedding: text pipeline, architecture, modules; not by anything else."""

import json
from copy import deepcopy

import pytest
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Normalize, Transformer
from sentence_transformers.sentence_transformer.modules import Pooling, StaticEmbedding
from tokenizers import normalizers, pre_tokenizers, processors

from spkit.errors import SpkitError
from spkit.hashing import weights_hash
from spkit.models.bases import load_base, mark_base
from spkit.models.fits import check_fits
from spkit.models.tokens import TEXTS, token_differences
from spkit.training import train
from spkit.vectors.task_vectors import TaskVectors
from tests.experts import noisy
from tests.folders import plain_folder, reconfigure
from tests.tiny import WIDTH, WORDS, tiny_encoder, tiny_tasks, tiny_tokenizer


def processed(single: str) -> processors.TemplateProcessing:
    names = [name for name in ("[CLS]", "[SEP]", "[PAD]") if name in single]
    vocabulary = tiny_tokenizer(WORDS).get_vocab()
    return processors.TemplateProcessing(single=single, special_tokens=[(name, vocabulary[name]) for name in names])


LOWER = [normalizers.NFKD(), normalizers.StripAccents(), normalizers.Lowercase()]
PIPELINES = {
    "another end token": lambda tokenizer: setattr(tokenizer, "post_processor", processed("[CLS] $A [PAD]")),
    "no end token": lambda tokenizer: setattr(tokenizer, "post_processor", processed("[CLS] $A")),
    "no special tokens": lambda tokenizer: setattr(tokenizer, "post_processor", processed("$A")),
    "casing": lambda tokenizer: setattr(tokenizer, "normalizer", normalizers.Sequence(LOWER[:2])),
    "accents": lambda tokenizer: setattr(tokenizer, "normalizer", normalizers.Lowercase()),
    "compatibility": lambda tokenizer: setattr(
        tokenizer, "normalizer", normalizers.Sequence([normalizers.NFD(), *LOWER[1:]])
    ),
    "a word replaced": lambda tokenizer: setattr(
        tokenizer, "normalizer", normalizers.Sequence([*LOWER, normalizers.Replace("violin", "horse")])
    ),
    "words at spaces alone": lambda tokenizer: setattr(tokenizer, "pre_tokenizer", pre_tokenizers.WhitespaceSplit()),
    "digits apart": lambda tokenizer: setattr(
        tokenizer,
        "pre_tokenizer",
        pre_tokenizers.Sequence([pre_tokenizers.BertPreTokenizer(), pre_tokenizers.Digits(individual_digits=True)]),
    ),
    "a piece as a token of its own": lambda tokenizer: tokenizer.add_tokens(["##a"]),
}


@pytest.fixture
def expert(base):
    return noisy(base, 1)


@pytest.mark.parametrize("name", PIPELINES)
def test_another_text_pipeline_is_refused(base, expert, name):
    tokenizer = deepcopy(base.tokenizer)
    PIPELINES[name](tokenizer.backend_tokenizer)
    expert[0].processor = tokenizer
    with pytest.raises(SpkitError, match="its tokenizer"):
        check_fits(base, expert, "x", weights_hash(base))


def test_other_forms_of_one_pipeline_belong_together(base, expert, tmp_path):
    vocabulary = base.tokenizer.get_vocab()
    forms = [
        ("post_processor", processors.BertProcessing(("[SEP]", vocabulary["[SEP]"]), ("[CLS]", vocabulary["[CLS]"]))),
        ("normalizer", normalizers.Sequence([normalizers.NFKD(), normalizers.Lowercase(), normalizers.StripAccents()])),
    ]
    tokenizer = deepcopy(base.tokenizer)
    for part, form in forms:
        setattr(tokenizer.backend_tokenizer, part, form)
    expert[0].processor = tokenizer
    assert token_differences(base, expert) == []
    tokenizer.padding_side = "left"
    tokenizer.model_max_length = 32
    expert.save(str(tmp_path / "expert"))
    check_fits(base, SentenceTransformer(str(tmp_path / "expert"), device="cpu"), "x", weights_hash(base))


def test_tokenizers_without_a_model_of_transformers_are_compared_too():
    models = []
    for lower in (True, False):
        tokenizer = deepcopy(tiny_tokenizer().backend_tokenizer)
        if not lower:
            tokenizer.normalizer = normalizers.NFKD()
        models.append(SentenceTransformer(modules=[StaticEmbedding(tokenizer, embedding_dim=8)], device="cpu"))
    models[1].load_state_dict(noisy(models[0], 1).state_dict())
    with pytest.raises(SpkitError, match="its tokenizer"):
        TaskVectors.from_models(models[0], {"x": models[1]})
    assert len(TaskVectors.from_models(models[0], {"x": noisy(models[0], 1)})) == 1


# Keys of configurations that real fine-tunes of one base differ in; whether they change an embedding is measured here.
HARMLESS = {
    "bert": [
        {"output_hidden_states": True},
        {"id2label": {"0": "LABEL_0"}, "label2id": {"LABEL_0": 0}},
        {"position_embedding_type": "absolute", "classifier_dropout": 0.3, "gradient_checkpointing": False},
        {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.3},
        {"bos_token_id": 0, "eos_token_id": 2, "directionality": "bidi", "pooler_type": "first_token_transform"},
        {"initializer_range": 0.5, "tie_word_embeddings": False, "use_cache": False, "problem_type": "regression"},
    ],
    "modernbert": [{"sparse_prediction": True, "classifier_pooling": "mean", "embedding_dropout": 0.2}],
    "qwen3": [{"pad_token_id": None}, {"rope_theta": 10000.0, "max_window_layers": 28, "use_sliding_window": False}],
}
DECIDING = {
    "bert": [{"hidden_act": "relu"}, {"layer_norm_eps": 0.1}, {"is_decoder": True}],
    "xlm-roberta": [{"pad_token_id": 7}],  # positions are counted from it
    "modernbert": [{"local_attention": 4}, {"hidden_activation": "relu"}, {"norm_eps": 0.5}],
    "qwen3": [{"rms_norm_eps": 0.5}, {"rope_parameters": {"rope_type": "default", "rope_theta": 10.0}}],
}


def pair(tmp_path, architecture, changes):
    model = SentenceTransformer(
        modules=[Transformer(str(plain_folder(tmp_path / "plain", architecture))), Pooling(WIDTH)], device="cpu"
    )
    model.save(str(tmp_path / "base"))
    noisy(model, 1).save(str(tmp_path / "expert"))
    reconfigure(tmp_path / "expert", **changes)
    base, expert = (SentenceTransformer(str(tmp_path / name), device="cpu") for name in ("base", "expert"))
    under = deepcopy(expert)
    under.load_state_dict(base.state_dict())
    texts = [*TEXTS[:-1], " ".join(WORDS) * 3]
    return (
        base,
        expert,
        torch.allclose(*(one.encode(texts, convert_to_tensor=True) for one in (base, under)), atol=1e-5),
    )


@pytest.mark.parametrize(("architecture", "changes"), [(one, keys) for one in HARMLESS for keys in HARMLESS[one]])
def test_configuration_keys_that_change_no_embedding_are_no_difference(tmp_path, architecture, changes):
    base, expert, alike = pair(tmp_path, architecture, changes)
    assert alike
    before = weights_hash(base), weights_hash(expert)
    check_fits(base, expert, "x", before[0])
    assert (weights_hash(base), weights_hash(expert)) == before


@pytest.mark.parametrize(("architecture", "changes"), [(one, keys) for one in DECIDING for keys in DECIDING[one]])
def test_configuration_keys_that_change_embeddings_are_refused_by_name(tmp_path, architecture, changes):
    base, expert, alike = pair(tmp_path, architecture, changes)
    assert not alike
    with pytest.raises(SpkitError, match=r"|".join(changes) + "|buffer"):
        check_fits(base, expert, "x", weights_hash(base))


def test_windows_beyond_the_compared_texts_are_a_difference(tmp_path):
    base, expert, alike = pair(tmp_path, "qwen3", {})
    assert alike
    for model, window in ((base, 4096), (expert, 1024)):
        model[0].model.config.sliding_window = window
    with pytest.raises(SpkitError, match="sliding_window"):
        check_fits(base, expert, "x", weights_hash(base))


def test_settings_of_modules_are_a_difference(base, expert):
    expert[1].include_prompt = False
    with pytest.raises(SpkitError, match="include_prompt"):
        check_fits(base, expert, "x", weights_hash(base))


# Origin


def test_an_expert_of_the_float32_copy_belongs_to_a_half_precision_folder(tmp_path):
    for dtype in (torch.bfloat16, torch.float16):
        folder = tmp_path / str(dtype)
        tiny_encoder(words=WORDS).to(dtype).save(str(folder))
        copy = SentenceTransformer(str(folder), device="cpu", model_kwargs={"dtype": torch.float32})
        expert = train(copy, tiny_tasks()["faq"], steps=1, batch_size=8, progress=False)
        for start in (folder, copy, load_base(folder)):
            assert float(TaskVectors.from_models(start, {"faq": expert}).norms().iloc[0]) > 0


def test_a_user_may_say_that_an_expert_is_of_the_base(base):
    marked, far = noisy(base, 1), noisy(base, 2, size=5.0)
    mark_base(marked, "0" * 64)
    for expert, said in ((marked, "trained from weights 000"), (far, "cosine")):
        with pytest.raises(SpkitError, match=f"(?s){said}.*check_origin=False"):
            TaskVectors.from_models(base, {"x": expert})
        assert TaskVectors.from_models(base, {"x": expert}, check_origin=False).names == ("x",)
    other = tiny_encoder(5, WORDS, layers=1)
    with pytest.raises(SpkitError, match="must share"):
        TaskVectors.from_models(base, {"x": other}, check_origin=False)


# Plain folders


@pytest.fixture
def plain(tmp_path):
    return plain_folder(tmp_path / "plain")


def saved(plain, folder, seed, pooling="cls", normalize=True, **settings) -> str:
    modules = [Transformer(str(plain)), Pooling(WIDTH, pooling_mode=pooling), *([Normalize()] if normalize else [])]
    model = noisy(SentenceTransformer(modules=modules, device="cpu", **settings), seed, 0.01)
    model.save(str(folder))
    return str(folder)


def test_a_plain_base_takes_the_modules_of_its_experts(plain, tmp_path):
    experts = {name: saved(plain, tmp_path / name, seed) for seed, name in enumerate("ab")}
    for start in (plain, load_base(plain)):
        with pytest.warns(UserWarning, match="Pooling by cls, Normalize"):
            vectors = TaskVectors.from_models(start, experts)
        expert = SentenceTransformer(experts["a"], device="cpu")
        torch.testing.assert_close(
            torch.tensor(vectors.at([1.0, 0.0]).encode(["red apple"])), torch.tensor(expert.encode(["red apple"]))
        )
    vectors.save(tmp_path / "vectors")
    again = TaskVectors.load(tmp_path / "vectors").at([1.0, 0.0])
    assert [type(module).__name__ for module in again] == ["Transformer", "Pooling", "Normalize"]


def test_experts_that_pool_in_different_ways_are_refused(plain, tmp_path):
    experts = {"a": saved(plain, tmp_path / "a", 1), "b": saved(plain, tmp_path / "b", 2, pooling="max")}
    with pytest.raises(SpkitError, match="pooling_mode of module 1 is 'max'"):
        TaskVectors.from_models(plain, experts)


def test_plain_experts_take_the_modules_of_the_base(plain, tmp_path):
    base = saved(plain, tmp_path / "base", 0)
    expert = noisy(SentenceTransformer(base, device="cpu"), 1)
    expert[0].model.save_pretrained(tmp_path / "expert")
    expert.tokenizer.save_pretrained(tmp_path / "expert")
    with pytest.warns(UserWarning, match="'x' as plain transformers"):
        vectors = TaskVectors.from_models(base, {"x": tmp_path / "expert"})
    torch.testing.assert_close(torch.tensor(vectors.at([1.0]).encode(["a"])), torch.tensor(expert.encode(["a"])))


def test_where_nobody_says_how_to_pool_it_is_said(plain, tmp_path):
    plain_folder(tmp_path / "expert")
    expert = noisy(load_base(plain), 1)
    expert[0].model.save_pretrained(tmp_path / "expert")
    with pytest.warns(UserWarning, match="Pooling by mean"):
        TaskVectors.from_models(plain, {"x": tmp_path / "expert"})


def test_a_trained_model_says_how_it_pools(plain):
    expert = train(load_base(plain), tiny_tasks()["faq"], steps=1, batch_size=8, progress=False)
    assert len(TaskVectors.from_models(plain, {"x": expert})) == 1  # without a warning, which would be an error here


# What experts agree on


def test_what_all_experts_agree_on_is_kept_and_said(plain, tmp_path):
    base = saved(plain, tmp_path / "base", 0)
    use = {"prompts": {"query": "query: ", "sts": "alike: "}, "default_prompt_name": "sts", "truncate_dim": 16}
    experts = {n: saved(plain, tmp_path / n, s, similarity_fn_name="dot", **use) for s, n in enumerate("ab", 1)}
    for start in (base, SentenceTransformer(base, device="cpu")):
        with pytest.warns(UserWarning, match="prompts.*default prompt.*similarity function.*dimensions") as said:
            vectors = TaskVectors.from_models(start, experts)
        assert len(said) == 1
        merged = vectors.at([0.5, 0.5])
        merged.save(str(tmp_path / "merged"))
        for model in (merged, SentenceTransformer(str(tmp_path / "merged"), device="cpu")):
            assert {name: one for name, one in model.prompts.items() if one} == use["prompts"]
            assert (model.default_prompt_name, model.similarity_fn_name, model.truncate_dim) == ("sts", "dot", 16)
    assert isinstance(start, SentenceTransformer)
    assert (start.default_prompt_name, start.truncate_dim) == (None, None)  # the user's own stays as it is
    vectors.save(tmp_path / "vectors")
    assert TaskVectors.load(tmp_path / "vectors").base.prompts["sts"] == "alike: "


def test_experts_that_differ_leave_the_base_as_it_is(plain, tmp_path):
    base = saved(plain, tmp_path / "base", 0)
    experts = {
        "a": saved(plain, tmp_path / "a", 1, prompts={"query": "query: "}),
        "b": saved(plain, tmp_path / "b", 2, prompts={"query": "find: "}, similarity_fn_name="dot"),
    }
    with pytest.warns(UserWarning, match="differ in prompts.*differ in the similarity function"):
        vectors = TaskVectors.from_models(base, experts)
    assert not any(vectors.base.prompts.values())
    assert vectors.base.similarity_fn_name == "cosine"


def test_settings_of_the_base_that_experts_say_nothing_of_stay(plain, tmp_path):
    base = saved(plain, tmp_path / "base", 0, prompts={"query": "query: "}, similarity_fn_name="dot")
    expert = noisy(SentenceTransformer(base, device="cpu"), 1)
    assert TaskVectors.from_models(base, {"x": expert}).base.prompts["query"] == "query: "


def test_mergekit_methods_keep_what_experts_agree_on(plain, tmp_path):
    from spkit.merging.methods import merge

    experts = {n: saved(plain, tmp_path / n, s, prompts={"query": "query: "}) for s, n in enumerate("ab", 1)}
    with pytest.warns(UserWarning, match="prompts"):
        merged = merge(plain, experts, "mergekit:linear", weight=0.5)
    assert merged.prompts["query"] == "query: "
    assert [type(module).__name__ for module in merged] == ["Transformer", "Pooling", "Normalize"]


def test_pipelines_are_compared_as_they_are_written(plain):
    """The forms of a tokenizer are JSON, so that equal ones need no texts."""
    written = json.loads(tiny_tokenizer().backend_tokenizer.to_str())
    assert {"normalizer", "pre_tokenizer", "post_processor", "added_tokens", "model"} <= set(written)
