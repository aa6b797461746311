"""LoRA adapters as experts: the weights that peft itself computes."""

from copy import deepcopy

import pytest
import torch

from spkit import SpkitError, TaskVectors
from spkit.hashing import weights_hash
from spkit.models.adapters import load_expert
from tests.experts import flat

# The adapter's folder is written without the model it belongs to, as a user of adapters would.
pytestmark = pytest.mark.filterwarnings("ignore:Could not find a config file")

peft = pytest.importorskip("peft", reason="peft is an oracle of the tests, and not a dependency")


def with_adapter(base, seed: int = 1):
    model = deepcopy(base)
    config = peft.LoraConfig(r=2, lora_alpha=8, target_modules=["query", "value"], bias="none")
    model[0].model.add_adapter(config)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_" in name:
                parameter.copy_(0.05 * torch.randn(parameter.shape, generator=generator))
    return model


def expected(base, adapted):
    """W + (α/r) B A, by hand."""
    weights = {name: value.detach().clone() for name, value in base.named_parameters()}
    parts = dict(adapted.named_parameters())
    for name in [name for name in parts if "lora_A" in name]:
        target = name.replace(".lora_A.default.weight", ".weight")
        weights[target] += 8 / 2 * parts[name.replace("lora_A", "lora_B")] @ parts[name]
    return torch.cat([value.flatten().double() for value in weights.values()])


def test_a_model_with_an_adapter_is_folded(base):
    adapted = with_adapter(base)
    before = weights_hash(adapted)
    vectors = TaskVectors.from_models(base, {"lora": adapted})
    torch.testing.assert_close(flat(vectors.at([1.0])), expected(base, adapted).detach(), atol=1e-5, rtol=0)
    assert weights_hash(adapted) == before  # the model given keeps its adapter
    texts = ["the red apple", "a stone in the river"]
    torch.testing.assert_close(
        torch.tensor(vectors.at([1.0]).encode(texts)), torch.tensor(adapted.eval().encode(texts)), atol=1e-4, rtol=1e-4
    )


def test_a_folder_of_an_adapter_is_laid_over_the_base(base, tmp_path):
    adapted = with_adapter(base)
    adapted[0].model.save_pretrained(tmp_path / "lora")
    assert (tmp_path / "lora" / "adapter_config.json").is_file()
    vectors = TaskVectors.from_models(base, {"lora": tmp_path / "lora"})
    torch.testing.assert_close(flat(vectors.at([1.0])), expected(base, adapted).detach(), atol=1e-5, rtol=0)


def test_a_folded_expert_is_an_ordinary_model(base, tmp_path):
    folded = load_expert(with_adapter(base), base, "lora")
    assert [name for name, _ in folded.named_parameters()] == [name for name, _ in base.named_parameters()]
    assert all(parameter.requires_grad for parameter in folded.parameters())
    folded.save(str(tmp_path / "model"))
    assert not list((tmp_path / "model").rglob("adapter_*"))
    again = load_expert(str(tmp_path / "model"), base, "lora")
    assert torch.equal(flat(again), flat(folded))


def test_weights_beside_an_adapter_are_not_left_out_silently(base, tmp_path):
    with_adapter(base)[0].model.save_pretrained(tmp_path / "lora")
    (tmp_path / "lora" / "2_Dense").mkdir()
    (tmp_path / "lora" / "2_Dense" / "model.safetensors").touch()
    with pytest.raises(SpkitError, match=r"Found 2_Dense/model.safetensors in .*lora"):
        TaskVectors.from_models(base, {"mine": tmp_path / "lora"})


def test_a_model_without_adapters_is_passed_through(base):
    assert load_expert(base, base, "same") is base
