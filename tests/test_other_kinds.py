"""What is no embedding model is refused by what it is, and a name that stands for nothing is refused at once."""

import time

import huggingface_hub.constants
import pytest
import torch
import transformers
from huggingface_hub import HfApi
from sentence_transformers import CrossEncoder, SentenceTransformer, SparseEncoder
from sentence_transformers.base.modules import Dense, Transformer
from sentence_transformers.multi_vector_encoder import MultiVectorEncoder
from sentence_transformers.sentence_transformer.modules import Pooling
from torch import nn

from spkit.errors import SpkitError
from spkit.evaluation import evaluate
from spkit.merging.methods import merge
from spkit.models.adapters import load_expert
from spkit.models.bases import load_base, load_model
from spkit.models.other_kinds import kind_of_files
from spkit.models.sources import check_model
from spkit.vectors.task_vectors import TaskVectors
from tests.folders import plain_folder, reconfigure
from tests.tiny import WIDTH, tiny_tasks


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """A folder of each kind, as sentence-transformers, PyLate and Stanford's ColBERT write them."""
    root = tmp_path_factory.mktemp("kinds")
    classifier = plain_folder(root / "classifier", auto=transformers.AutoModelForSequenceClassification, num_labels=1)
    CrossEncoder(str(classifier)).save(str(root / "cross-encoder"))
    masked = plain_folder(root / "masked", auto=transformers.AutoModelForMaskedLM)
    SparseEncoder(str(masked)).save(str(root / "sparse encoder"))
    MultiVectorEncoder(str(plain_folder(root / "plain"))).save(str(root / "multi-vector"))
    modules = [Transformer(str(root / "plain")), Dense(WIDTH, 8, module_input_name="token_embeddings")]
    SentenceTransformer(modules=modules, device="cpu").save(str(root / "one vector"))
    types = ["sentence_transformers.models.Transformer", "pylate.models.Dense.Dense"]
    SentenceTransformer(modules=modules, device="cpu").save(str(root / "ColBERT"))
    (root / "ColBERT" / "modules.json").write_text(
        str([{"idx": i, "name": str(i), "path": "", "type": one} for i, one in enumerate(types)]).replace("'", '"')
    )
    reconfigure(plain_folder(root / "a vector for each token"), architectures=["HF_ColBERT"])
    return root


KINDS = (
    "classifier",
    "cross-encoder",
    "sparse encoder",
    "multi-vector",
    "one vector",
    "ColBERT",
    "a vector for each token",
)


@pytest.mark.parametrize("kind", KINDS)
def test_folders_of_other_kinds_are_refused_by_what_they_are(base, folders, kind):
    folder = folders / kind
    uses = (
        load_base,
        load_model,
        lambda one: TaskVectors.from_models(base, {"x": one}),
        lambda one: TaskVectors.from_models(one, {"x": base}),
        lambda one: merge(base, [one, one], "average"),
        lambda one: evaluate(one, tiny_tasks()),
    )
    for use in uses:
        with pytest.raises(SpkitError, match=kind.replace("/", ".")):
            use(folder)


@pytest.mark.parametrize("kind", ["plain", "masked"])
def test_transformers_that_are_a_base_are_taken(folders, kind):
    assert [type(module).__name__ for module in load_base(folders / kind)] == ["Transformer", "Pooling"]


def test_files_that_say_nothing_are_no_other_kind():
    classifier = {"architectures": ["BertForSequenceClassification"]}
    for said in (
        {},
        {"config.json": []},
        {"config.json": {"architectures": None}},
        {"modules.json": [{"type": "my.Module"}]},
        {"modules.json": {}, "config.json": classifier},
    ):
        assert kind_of_files(said.get) is None
    assert kind_of_files({"config.json": classifier}.get) == "a classifier or cross-encoder"


OBJECTS = {
    "an int": 5,
    "None": None,
    "a list": [1.0],
    "a float": 0.5,
    r"a torch module \(Linear\)": nn.Linear(2, 2),
    "1 tensors by name": {"weight": torch.zeros(2)},
}


@pytest.mark.parametrize("said", OBJECTS)
def test_objects_that_are_no_model_are_refused_by_what_they_are(no_type_check, base, said):
    for use in (load_base, load_model, lambda one: TaskVectors.from_models(base, {"x": one})):
        with pytest.raises(SpkitError, match=f"Found {said}"):
            use(OBJECTS[said])


def test_models_of_other_classes_are_refused_by_what_they_are(no_type_check, base, folders):
    said = {
        "a cross-encoder": CrossEncoder(str(folders / "classifier")),
        "a sparse encoder": SparseEncoder(str(folders / "masked")),
        "a multi-vector model": MultiVectorEncoder(str(folders / "plain")),
        r"a transformers model \(BertModel\)": base[0].model,
    }
    for words, model in said.items():
        with pytest.raises(SpkitError, match=words):
            TaskVectors.from_models(base, {"x": model})
        with pytest.raises(SpkitError, match=words):
            TaskVectors.from_models(model, {"x": base})


def test_experts_without_names_are_refused(no_type_check, base):
    with pytest.raises(SpkitError, match=r"must give each expert a name\. Found a list"):
        TaskVectors.from_models(base, [base])


def test_a_file_is_no_model(folders):
    with pytest.raises(SpkitError, match=r"which is a file\. Pass the folder"):
        check_model(folders / "plain" / "model.safetensors")


def test_an_unknown_id_is_refused_at_once(monkeypatch):
    asked = []

    def unreachable(self, name, **more):
        asked.append(name)
        assert more["timeout"] <= 10
        raise OSError("Name or service not known")

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(HfApi, "model_info", unreachable)
    start = time.perf_counter()
    for name in ("BAAI/bge-smal-en", "all-minilm"):
        with pytest.raises(SpkitError, match="nothing in the hub's cache, and the hub said: Name or service not known"):
            load_base(name)
    assert time.perf_counter() - start < 5
    assert asked == ["BAAI/bge-smal-en", "sentence-transformers/all-minilm", "all-minilm"]


@pytest.mark.parametrize("load", [lambda name, base: load_model(name), lambda name, base: load_expert(name, base, "x")])
def test_the_hub_is_asked_for_a_model_once(monkeypatch, base, load):
    asked = []
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(HfApi, "model_info", lambda self, name, **more: asked.append(name))
    monkeypatch.setattr("transformers.utils.peft_utils.find_adapter_config_file", lambda *_, **__: asked.append("?"))
    monkeypatch.setattr("spkit.models.bases._load_saved", lambda source, how: base)
    assert load("BAAI/bge-small-en", base) is base
    assert asked == ["BAAI/bge-small-en", "?"]


def test_the_cache_is_looked_at_before_the_hub(monkeypatch, tmp_path, folders):
    """Without the network, and without asking for it."""
    version = tmp_path / "models--me--faq" / "snapshots" / ("0" * 40)
    model = SentenceTransformer(modules=[Transformer(str(folders / "plain")), Pooling(WIDTH)], device="cpu")
    model.save(str(version))
    (tmp_path / "models--me--faq" / "refs").mkdir()
    (tmp_path / "models--me--faq" / "refs" / "main").write_text("0" * 40)
    for name in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"):
        monkeypatch.setattr(huggingface_hub.constants, name, str(tmp_path), raising=False)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(HfApi, "model_info", lambda *_, **__: pytest.fail("asked the hub"))
    check_model("me/faq")
    reconfigure(version, "config_sentence_transformers.json", model_type="CrossEncoder")
    with pytest.raises(SpkitError, match="a cross-encoder"):
        check_model("me/faq")
