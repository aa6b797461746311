"""Adapters as experts: the weights that PEFT itself computes, for every kind of adapter and every way of giving one."""

import json
from copy import deepcopy

import pytest
import torch
from safetensors.torch import load_file, save_file
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Normalize
from sentence_transformers.sentence_transformer.modules import Pooling
from transformers import BertForMaskedLM, TrainerCallback

from spkit import SpkitError, TaskVectors, load_base, save_model, train
from spkit.hashing import weights_hash
from spkit.models.adapters import fold, load_expert, unfold
from spkit.models.origin import note_source
from tests.experts import flat, noisy

# The adapter's folder is written without the model it belongs to, as a user of adapters would.
pytestmark = pytest.mark.filterwarnings(
    "ignore:Could not find a config file", "ignore:`is_gradient_checkpointing`:FutureWarning"
)

peft = pytest.importorskip("peft", reason="peft is an oracle of the tests, and comes with an extra")

LORA = {"r": 2, "lora_alpha": 8, "target_modules": ["query", "value"]}
CLOSE = {"atol": 1e-6, "rtol": 0}
TEXTS = ["the red apple", "a stone in the river"]


def moved(model, seed: int = 1):
    """The same model with noise on all that an adapter trains."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for _, parameter in sorted(model.named_parameters()):
            if parameter.requires_grad:
                parameter.add_(0.02 * torch.randn(parameter.shape, generator=generator))
    return model


def with_adapter(base, **changes):
    model = deepcopy(base)
    model[0].model.add_adapter(peft.LoraConfig(**(LORA | changes)))
    return moved(model)


class Stop(TrainerCallback):
    """Stops a training two steps after its first checkpoint."""

    def on_step_end(self, args, state, control, **given):
        if state.global_step == 52:
            raise KeyboardInterrupt


def of_peft(base, config, folder=None, **saved):
    """PEFT's model over the base's transformer, and the weights of PEFT's own merge as one vector."""
    adapted = moved(peft.get_peft_model(deepcopy(base[0].model), deepcopy(config)))
    if folder is not None:
        adapted.save_pretrained(folder, **saved)
    return adapted, flat(deepcopy(adapted).merge_and_unload(safe_merge=True))


VARIANTS = {
    "plain": peft.LoraConfig(**LORA),
    "rslora": peft.LoraConfig(**LORA, use_rslora=True),
    "dora": peft.LoraConfig(**LORA, use_dora=True),
    "bias of the layers": peft.LoraConfig(**LORA, bias="lora_only"),
    "every bias": peft.LoraConfig(**LORA, bias="all"),
    "modules_to_save": peft.LoraConfig(**LORA, modules_to_save=["pooler", "LayerNorm"]),
    "embedding": peft.LoraConfig(**(LORA | {"target_modules": ["query", "word_embeddings"]})),
    "whole embedding": peft.LoraConfig(**LORA, modules_to_save=["word_embeddings"]),
    "trainable tokens": peft.LoraConfig(**LORA, trainable_token_indices={"word_embeddings": [7, 8, 9]}),
    "patterns": peft.LoraConfig(**LORA, rank_pattern={"query": 1}, alpha_pattern={"query": 32}),
    "pissa": peft.LoraConfig(**LORA, init_lora_weights="pissa"),
    "some layers": peft.LoraConfig(**LORA, layers_to_transform=[1]),
    "loha": peft.LoHaConfig(r=2, alpha=4, target_modules=["query"]),
    "lokr": peft.LoKrConfig(r=2, alpha=4, target_modules=["query"]),
    "ia3": peft.IA3Config(target_modules=["key", "output.dense"], feedforward_modules=["output.dense"]),
    "oft": peft.OFTConfig(r=0, oft_block_size=4, target_modules=["query"]),
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_folder_of_an_adapter_is_folded_as_peft_folds_it(base, tmp_path, variant):
    of_peft(base, VARIANTS[variant], tmp_path / "adapter")
    adapted = peft.PeftModel.from_pretrained(deepcopy(base[0].model), str(tmp_path / "adapter"))
    expected = flat(adapted.merge_and_unload(safe_merge=True))
    vectors = TaskVectors.from_models(base, {"adapted": tmp_path / "adapter"})
    torch.testing.assert_close(flat(vectors.at([1.0])), expected, **CLOSE)


@pytest.mark.parametrize("variant", ["plain", "dora", "modules_to_save", "trainable tokens"])
@pytest.mark.parametrize("given", ["PEFT's model", "inside of a SentenceTransformer", "around a SentenceTransformer"])
def test_a_model_that_peft_made_is_folded(base, variant, given):
    adapted, expected = of_peft(base, VARIANTS[variant])
    if given == "around a SentenceTransformer":
        if variant == "trainable tokens":
            pytest.skip("PEFT looks for the embeddings of a transformer")
        expert = moved(peft.get_peft_model(deepcopy(base), deepcopy(VARIANTS[variant])))
        expected = flat(deepcopy(expert).merge_and_unload(safe_merge=True))
    elif given == "inside of a SentenceTransformer":
        expert = deepcopy(base)
        expert[0].model = adapted
    else:
        expert = adapted
    before = weights_hash(expert)
    vectors = TaskVectors.from_models(base, {"adapted": expert})
    torch.testing.assert_close(flat(vectors.at([1.0])), expected, **CLOSE)
    assert weights_hash(expert) == before  # what was given keeps its adapter


@pytest.mark.parametrize("changes", [{}, {"use_dora": True}, {"modules_to_save": ["pooler"]}, {"bias": "all"}])
def test_a_model_with_an_adapter_computes_as_its_folded_copy(base, changes):
    adapted = with_adapter(base, **changes)
    folded = load_expert(adapted, base, "lora")
    assert [name for name, _ in folded.named_parameters()] == [name for name, _ in base.named_parameters()]
    got, right = (torch.tensor(model.eval().encode(TEXTS)) for model in (folded, adapted))
    torch.testing.assert_close(got, right, atol=2e-6, rtol=0)
    assert torch.equal(flat(unfold(with_adapter(base))), flat(base))


def test_a_model_without_adapters_is_passed_through(base):
    assert load_expert(base, base, "same") is base
    assert fold(base) is base is unfold(base)


def test_old_files_and_named_adapters_are_read(base, tmp_path):
    _, expected = of_peft(base, VARIANTS["plain"], tmp_path / "old", safe_serialization=False)
    assert (tmp_path / "old" / "adapter_model.bin").is_file()
    two = peft.get_peft_model(deepcopy(base[0].model), deepcopy(VARIANTS["plain"]), adapter_name="faq")
    two.add_adapter("sts", deepcopy(VARIANTS["dora"]))
    moved(two).save_pretrained(tmp_path / "two")
    one = TaskVectors.from_models(base, {"old": tmp_path / "old", "faq": tmp_path / "two" / "faq"})
    torch.testing.assert_close(flat(one.at([1.0, 0.0])), expected, **CLOSE)
    with pytest.raises(SpkitError, match=r"must be one adapter. Found 'faq', 'sts' in .*two. Pass .*two/faq'"):
        TaskVectors.from_models(base, {"both": tmp_path / "two"})


def test_an_adapter_of_a_larger_model_fits_the_part_that_embeds(base, tmp_path):
    config = base[0].model.config
    larger = BertForMaskedLM(config)
    larger.bert.load_state_dict(base[0].model.state_dict(), strict=False)
    adapted = moved(peft.get_peft_model(larger, deepcopy(VARIANTS["plain"])))
    adapted.save_pretrained(tmp_path / "larger")
    merged = dict(adapted.merge_and_unload().bert.named_parameters())
    got = load_expert(tmp_path / "larger", base, "larger")
    for name, value in merged.items():
        torch.testing.assert_close(dict(got[0].model.named_parameters())[name], value, **CLOSE)


@pytest.mark.parametrize(
    ("renamed", "message"),
    [
        (("layer.0.", "layers.0."), "4 that nothing in the base goes by, such as .*layers.0.* and lacking 4"),
        (("layer.1.attention.self.query.lora_A", None), "none for 'base_model.model.encoder.layer.1.*query.lora_A"),
    ],
)
def test_keys_that_are_only_partly_used_are_refused(base, tmp_path, renamed, message):
    of_peft(base, VARIANTS["plain"], tmp_path / "partly")
    file = tmp_path / "partly" / "adapter_model.safetensors"
    old, new = renamed
    tensors = {key.replace(old, new or old): value for key, value in load_file(file).items() if new or old not in key}
    save_file(tensors, file)
    with pytest.raises(SpkitError, match=f"Every tensor of an adapter must have its place in the base. .*{message}"):
        TaskVectors.from_models(base, {"partly": tmp_path / "partly"})


def test_weights_beside_an_adapter_are_not_left_out_silently(base, tmp_path):
    of_peft(base, VARIANTS["plain"], tmp_path / "lora")
    (tmp_path / "lora" / "2_Dense").mkdir()
    (tmp_path / "lora" / "2_Dense" / "model.safetensors").touch()
    with pytest.raises(SpkitError, match=r"Found 2_Dense/model.safetensors in .*lora"):
        TaskVectors.from_models(base, {"mine": tmp_path / "lora"})


def test_what_changes_no_weights_is_refused(base, tmp_path):
    prompts = peft.PromptTuningConfig(task_type="FEATURE_EXTRACTION", num_virtual_tokens=2)
    adapted = peft.get_peft_model(deepcopy(base[0].model), prompts)
    adapted.save_pretrained(tmp_path / "prompts")
    for given in (adapted, tmp_path / "prompts"):
        with pytest.raises(SpkitError, match=r"must change weights. Found .*adds tokens instead \(.*PROMPT_TUNING"):
            TaskVectors.from_models(base, {"prompts": given})
    off = with_adapter(base)
    off[0].model.disable_adapters()
    with pytest.raises(SpkitError, match=r"must be switched on. Found one that is disabled"):
        TaskVectors.from_models(base, {"off": off})
    with pytest.raises(SpkitError, match=r"Found a torch module \(Linear\) for 'layer'"):
        TaskVectors.from_models(base, {"layer": torch.nn.Linear(2, 2)})


def test_a_folder_of_sentence_transformers_keeps_its_own_modules(base, tmp_path):
    adapted = with_adapter(base)
    adapted.max_seq_length = 24
    adapted.prompts = {"query": "where: ", "document": ""}
    adapted.save(str(tmp_path / "same"))
    assert (tmp_path / "same" / "adapter_config.json").is_file()
    expert = load_expert(tmp_path / "same", base, "same")
    assert (expert.max_seq_length, expert.prompts["query"]) == (24, "where: ")
    torch.testing.assert_close(flat(expert), flat(fold(adapted)), **CLOSE)
    # Cut, pooled and normalised in another way: as a full model's folder is, it is refused.
    other = SentenceTransformer(modules=[adapted[0], Pooling(32, pooling_mode="cls"), Normalize()], device="cpu")
    other.save(str(tmp_path / "other"))
    with pytest.raises(SpkitError, match=r"pooling_mode of module 1 is 'cls', the base has 'mean'; module 2 is Norm"):
        TaskVectors.from_models(base, {"other": tmp_path / "other"})


def test_an_adapter_is_loaded_as_a_base_over_the_model_it_names(base, tmp_path):
    save_model(base, tmp_path / "base")
    adapted = with_adapter(load_base(tmp_path / "base"), use_dora=True)
    adapted.save(str(tmp_path / "adapted"))
    loaded = load_base(tmp_path / "adapted")
    torch.testing.assert_close(flat(loaded), flat(fold(adapted)), **CLOSE)
    about = tmp_path / "adapted" / "adapter_config.json"
    about.write_text(json.dumps(json.loads(about.read_text()) | {"base_model_name_or_path": None}))
    with pytest.raises(SpkitError, match=r"must name the model it was trained over"):
        load_base(tmp_path / "adapted")


def test_an_adapter_of_another_base_is_refused(base, tmp_path):
    start, other = tmp_path / "start", tmp_path / "other"
    save_model(base, start)
    save_model(noisy(base, 5), other)
    for folder in (start, other):  # each names the folder that its transformer came from
        adapted = with_adapter(load_base(folder))
        adapted[0].model.save_pretrained(tmp_path / f"over-{folder.name}")
    assert TaskVectors.from_models(base, {"mine": tmp_path / "over-start"}).names == ("mine",)
    with pytest.raises(SpkitError, match=r"'theirs', an adapter that was trained over '.*other', whose weights differ"):
        TaskVectors.from_models(base, {"theirs": tmp_path / "over-other"})
    assert load_expert(tmp_path / "over-other", base, "theirs", origin=False) is not None
    about = tmp_path / "over-start" / "adapter_config.json"
    about.write_text(json.dumps(json.loads(about.read_text()) | {"base_model_name_or_path": "company/other"}))
    assert load_expert(tmp_path / "over-start", base, "mine") is not None  # nothing is known of our base's name
    known = deepcopy(base)
    note_source(known, "company/base", weights_hash(known))
    with pytest.raises(SpkitError, match="trained over 'company/other'"):
        load_expert(tmp_path / "over-start", known, "mine")


@pytest.mark.parametrize("changes", [{}, {"modules_to_save": ["pooler"]}])
def test_what_a_training_of_an_adapter_returns_is_an_expert(base, tasks, tmp_path, changes):
    start = deepcopy(base)
    start.add_adapter(peft.LoraConfig(**(LORA | changes)))
    expert = train(start, tasks["faq"], steps=2, batch_size=8, learning_rate=1e-2, progress=False)
    save_model(expert, tmp_path / "expert")
    expected = flat(fold(expert))
    for given in (expert, tmp_path / "expert"):
        for over in (base, start):
            vectors = TaskVectors.from_models(over, {"faq": given})
            torch.testing.assert_close(flat(vectors.at([1.0])), expected, **CLOSE)
    other = deepcopy(base)
    with torch.no_grad():
        next(other.parameters()).add_(0.1)
    with pytest.raises(SpkitError, match=r"trained from weights"):
        TaskVectors.from_models(other, {"faq": expert})


def test_what_a_training_of_an_adapter_keeps_are_experts(base, tasks, tmp_path):
    start = deepcopy(base)
    start.add_adapter(peft.LoraConfig(**LORA))
    settings = {"steps": 6, "batch_size": 8, "learning_rate": 1e-2, "progress": False, "keep": [0.5, 1.0]}
    kept = train(start, tasks["faq"], **settings, checkpoints=tmp_path)
    vectors = TaskVectors.from_models(base, {str(share): model for share, model in kept.items()})
    assert 0 < vectors.cosines().loc["0.5", "1.0"] < 0.9999
    again = train(start, tasks["faq"], **settings, checkpoints=tmp_path)  # from the finished training's checkpoint
    torch.testing.assert_close(flat(fold(again[0.5])), flat(vectors.at([1.0, 0.0])), **CLOSE)


def test_a_training_of_an_adapter_goes_on_from_its_checkpoint(base, tasks, tmp_path):
    start = deepcopy(base)
    start.add_adapter(peft.LoraConfig(**LORA, lora_dropout=0.0))
    settings = {"steps": 54, "batch_size": 8, "learning_rate": 1e-2, "progress": False}
    whole = flat(fold(train(start, tasks["faq"], **settings)))
    with pytest.raises(KeyboardInterrupt):
        train(start, tasks["faq"], **settings, checkpoints=tmp_path, callbacks=[Stop()])
    for _ in range(2):  # from the checkpoint at step 50, and from the one of the finished training
        again = train(start, tasks["faq"], **settings, checkpoints=tmp_path)
        torch.testing.assert_close(flat(fold(again)), whole, **CLOSE)


def test_mergekits_methods_take_adapters(base, tmp_path):
    pytest.importorskip("mergekit")
    import spkit

    _, expected = of_peft(base, VARIANTS["dora"], tmp_path / "a")
    adapted = with_adapter(base)
    merged = spkit.merge(base, {"a": tmp_path / "a", "b": adapted}, "mergekit:linear", weight=0.5)
    torch.testing.assert_close(flat(merged), (expected + flat(fold(adapted))) / 2, **CLOSE)
