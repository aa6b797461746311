"""Models that are no embedding models: what a folder or an object is instead, by what it says of itself."""

from collections.abc import Callable
from typing import Any

_KINDS = {
    "CrossEncoder": "a cross-encoder, which scores pairs of texts",
    "SparseEncoder": "a sparse encoder, whose vectors have an entry for each token of the vocabulary",
    "MultiVectorEncoder": "a multi-vector model (ColBERT), which gives a vector for each token",
    "ColBERT": "a multi-vector model (ColBERT), which gives a vector for each token",
}
# In the names of modules' classes, as modules.json has them.
_PACKAGES = {
    ".cross_encoder.": "CrossEncoder",
    ".sparse_encoder.": "SparseEncoder",
    ".multi_vector_encoder.": "MultiVectorEncoder",
    "pylate.": "ColBERT",
}
# In the names of architectures, as config.json has them.
_HEADS = {
    "ColBERT": _KINDS["ColBERT"],
    "ForSequenceClassification": "a classifier or cross-encoder",
    "ForTokenClassification": "a classifier of tokens",
    "ForQuestionAnswering": "a model that answers questions",
    "ForMultipleChoice": "a model that selects answers",
    "ForImageClassification": "a classifier of images",
}


def kind_of_files(described: Callable[[str], Any]) -> str | None:
    """What a model's files say that it is, in words; None for an embedding model and for what says nothing.

    Args:
        described: gives what a JSON file of the model says, by the file's name; None where there is none.
    """
    said = described("config_sentence_transformers.json")
    named = said.get("model_type") if isinstance(said, dict) else None
    if named not in (None, "SentenceTransformer"):
        return _KINDS.get(named, f"a {named}")
    modules = described("modules.json")
    if modules is not None:
        types = [str(one.get("type")) for one in modules if isinstance(one, dict)] if isinstance(modules, list) else []
        return next((_KINDS[kind] for part, kind in _PACKAGES.items() if any(part in one for one in types)), None)
    config = described("config.json")
    architectures = config.get("architectures") if isinstance(config, dict) else None
    if not isinstance(architectures, list):
        return None
    return next((words for part, words in _HEADS.items() if any(part in str(one) for one in architectures)), None)


def kind_of_object(given: object) -> str:
    """What an object is that is no SentenceTransformer, in words."""
    names = [kind.__name__ for kind in type(given).__mro__]
    name = type(given).__name__
    known = next((words for kind, words in _KINDS.items() if kind in names), None)
    if known is not None:
        return f"{known} ({name})"
    if "PreTrainedModel" in names:
        return f"a transformers model ({name}), which does not say how it pools"
    if "Module" in names:
        return f"a torch module ({name})"
    if isinstance(given, dict) and given and all(hasattr(one, "shape") for one in given.values()):
        return f"{len(given)} tensors by name ({name}), without the model they belong to"
    return "None" if given is None else f"{'an' if name[0] in 'aeiou' else 'a'} {name}"
