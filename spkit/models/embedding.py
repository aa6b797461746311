"""How a model embeds a column of a task: the prompt before a text, the route through the model, the similarity.

Training, the probe, conflict, Fisher, RegMean, the explorer and evaluation all ask here, so that each of them reads a
text as the others do, and as `encode`, `encode_query` and `encode_document` of the model itself.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Router
from sentence_transformers.sentence_transformer.data_collator import SentenceTransformerDataCollator
from sentence_transformers.sentence_transformer.modules import Normalize
from sentence_transformers.util import SimilarityFunction, truncate_embeddings
from torch import Tensor, nn
from transformers import PreTrainedModel

from spkit.errors import SpkitError
from spkit.hashing import text_hash
from spkit.tasks.kinds import Route
from spkit.tasks.task import Task

#: Prompts of a model that sentence-transformers' own methods look for, by what they embed.
_METHOD_PROMPTS: dict[Route | None, tuple[str, ...]] = {
    "query": ("query",),
    "document": ("document", "passage", "corpus"),
    None: (),
}
#: Parts of a tokenizer's pipeline that are set whenever texts are read.
_SET_ANEW = ("padding", "truncation")


@dataclass(frozen=True)
class Reading:
    """How a model reads the texts of one column.

    Attributes:
        prompt: what stands in front of each text; "" for nothing.
        route: `"query"` or `"document"`: as which of the two a text is embedded by models that tell them apart (modules
            of a Router, lengths of their own). None where the texts of a task are all of one sort.
    """

    prompt: str
    route: Route | None


def reading(model: SentenceTransformer, task: Task, column: str) -> Reading:
    """How a model reads a column of a task.

    A task that has prompts decides by them, and a column it does not name gets none. Otherwise the model's own prompt
    is used, in mteb's order: that of the task's name, of its type ("Retrieval"), each first with "-query" or
    "-document", then the prompt for queries or documents, and at last the default prompt.

    Args:
        model: its prompts and routes.
        task: its prompts, and what its kind says of the column.
        column: one of `task.text_columns`, or of the pairs that its loss reads.

    Returns:
        Prompt and route.

    Raises:
        SpkitError: a Router that has no route for such texts.

    Example:
        >>> import spkit
        >>> model, tasks = spkit.load_base("minilm-l3"), spkit.load_tasks("bundled", names=["chat", "topic"])
        >>> model.prompts = {"query": "query: ", "document": "passage: "}
        >>> [reading(model, tasks["chat"], column) for column in ("anchor", "positive")]
        [Reading(prompt='query: ', route='query'), Reading(prompt='passage: ', route='document')]
        >>> reading(model, tasks["topic"], "text")
        Reading(prompt='', route=None)
    """
    route = task.definition.route(column)
    _check_route(model, task, column, route)
    if task.prompts is not None:
        return Reading(task.prompts.get(column, task.prompts.get(task.definition.like(column), "")), route)
    of_task = [task.name, task.definition.mteb_type]
    names = [name for one in of_task for name in ([f"{one}-{route}", one] if route else [one])]
    names += [*_METHOD_PROMPTS[route], *([model.default_prompt_name] if model.default_prompt_name else [])]
    prompt = next((model.prompts[name] for name in names if name in model.prompts), None)
    return Reading(prompt or "", route)


def readings(model: SentenceTransformer, task: Task, columns: Sequence[str] | None = None) -> dict[str, Reading]:
    """How a model reads columns of texts of a task: its own, or those of the pairs that its loss reads."""
    return {column: reading(model, task, column) for column in columns or task.text_columns}


def prompts(model: SentenceTransformer, task: Task, columns: Sequence[str] | None = None) -> dict[str, str]:
    """The prompt of each column that has one, as sentence-transformers' trainer takes them."""
    return {column: one.prompt for column, one in readings(model, task, columns).items() if one.prompt}


def routes(model: SentenceTransformer, task: Task, columns: Sequence[str] | None = None) -> dict[str, Route | None]:
    """The route of each column, as sentence-transformers' trainer takes them (`router_mapping`)."""
    return {column: one.route for column, one in readings(model, task, columns).items()}


def collator(
    model: SentenceTransformer, task: Task, columns: Sequence[str] | None = None
) -> SentenceTransformerDataCollator:
    """What makes a tokenised batch of examples of a task, each column as the model reads it."""
    mapping: dict[str, Any] = routes(model, task, columns)
    own = prompts(model, task, columns)
    return SentenceTransformerDataCollator(model.preprocess, prompts=own, router_mapping=mapping)


def features_by_column(
    batch: Mapping[str, Any], columns: Sequence[str], device: torch.device
) -> dict[str, dict[str, Any]]:
    """What a tokenised batch holds of each text column that it has, on a device.

    Args:
        batch: as a `collator` makes it: each key is a column's name and that of a feature.
        columns: names of columns.
        device: of the model that reads it.
    """
    features: dict[str, dict[str, Any]] = {column: {} for column in columns}
    longest_first = sorted(features, key=len, reverse=True)  # "negative_1_input_ids" is not of "negative"
    for key, value in batch.items():
        column = next((column for column in longest_first if key.startswith(f"{column}_")), None)
        if column is not None:
            name = key.removeprefix(f"{column}_")
            features[column][name] = value.to(device) if isinstance(value, Tensor) else value
    return {column: given for column, given in features.items() if given}


def similarity_name(model: SentenceTransformer, task: Task) -> str:
    """The similarity that a task is scored by: the model's own for a search among documents, else the cosine.

    mteb's main scores of pairs and of lists of scores are those of cosines, whatever the model's own similarity is.
    """
    return model.similarity_fn_name if task.definition.asymmetric else "cosine"


def similarity(name: str) -> Callable[..., Tensor]:
    """The function behind the name of a similarity: from embeddings [Q, D] and [C, D] to [Q, C]; higher is closer."""
    return SimilarityFunction.to_similarity_fn(name)


def has_unit_length(model: SentenceTransformer) -> bool:
    """Whether every embedding has length 1, so that inner products are cosines."""
    return all(isinstance(chain[-1], Normalize) for chain in _chains(model))


@contextmanager
def truncated(model: SentenceTransformer) -> Iterator[None]:
    """Inside the block a forward pass gives what `encode` gives: no more than the model's `truncate_dim` numbers.

    A loss then reads the embeddings that are compared in use.
    """
    if model.truncate_dim is None:
        yield
        return
    hook = model.register_forward_hook(_truncate)
    try:
        yield
    finally:
        hook.remove()


def _truncate(model: Any, _given: Any, output: dict[str, Any]) -> dict[str, Any]:
    return {**output, "sentence_embedding": truncate_embeddings(output["sentence_embedding"], model.truncate_dim)}


def has_length(model: SentenceTransformer) -> bool:
    """Whether texts can be cut at a number of tokens; static embeddings read whole texts."""
    return any(_can_cut(module) for module in _input_modules(model))


def cut_texts(model: SentenceTransformer, tokens: int | None) -> None:
    """Set the number of tokens at which texts are cut, wherever the model cuts them.

    Args:
        model: the model, which is changed.
        tokens: the limit; None leaves it to the tokenizer.

    Raises:
        SpkitError: a model that reads whole texts.
    """
    if not has_length(model):
        raise SpkitError(
            "Texts can be cut by a model that has a limit of tokens.",
            f"Found {type(next(iter(model))).__name__}, which reads whole texts.",
            "Leave `max_seq_length` out.",
        )
    for module in filter(_can_cut, _input_modules(model)):
        module.max_seq_length = tokens  # pyright: ignore[reportArgumentType]


def shorten_texts(model: SentenceTransformer, tokens: int) -> None:
    """Lower every limit of tokens to this one; what is below it, or has no limit to set, stays."""
    for module in filter(_can_cut, _input_modules(model)):
        for name in ("max_seq_length", "query_length", "document_length"):
            limit = getattr(module, name, None)
            if name == "max_seq_length" or limit is not None:
                setattr(module, name, min(tokens, limit or tokens))


def settings_of(model: SentenceTransformer) -> str:
    """All that embeddings and their similarities depend on beside the weights, as one text: a key of what is kept."""
    parts = [(type(part).__name__, repr(getattr(part, "get_config_dict", dict)())) for part in model.modules()]
    inputs = [(_pipeline(module), getattr(module, "max_seq_length", None)) for module in _input_modules(model)]
    architectures = [_architecture(part) for part in model.modules() if isinstance(part, PreTrainedModel)]
    own = model.prompts, model.default_prompt_name, model.similarity_fn_name, model.truncate_dim
    return repr([parts, inputs, architectures, own])


def _architecture(part: PreTrainedModel) -> str:
    notes = {"architectures", "transformers_version", "torch_dtype", "dtype", "use_cache"}
    known = {key: value for key, value in part.config.to_dict().items() if key not in notes and key[0] != "_"}
    return json.dumps(known, sort_keys=True, default=repr)


def _pipeline(module: nn.Module) -> str:
    """How a text becomes tokens."""
    tokenizer = getattr(module, "tokenizer", None)
    fast = getattr(tokenizer, "backend_tokenizer", None)
    if fast is None:  # static embeddings have the fast one itself, which no use of it changes
        write = getattr(tokenizer, "to_str", None)
        return repr(tokenizer) if write is None else text_hash(write())
    sides = [str(getattr(tokenizer, name, None)) for name in ("padding_side", "truncation_side")]
    return text_hash(_uncut(fast.to_str()), *sides)


@lru_cache(maxsize=4)  # asked for at each stage and measurement, and a tenth of a second for a vocabulary of 30,000
def _uncut(pipeline: str) -> str:
    """A tokenizer's pipeline without what is set anew whenever texts are read."""
    return json.dumps({name: part for name, part in json.loads(pipeline).items() if name not in _SET_ANEW})


def _chains(model: SentenceTransformer) -> list[list[nn.Module]]:
    """The modules that a text may go through, one behind the other: one chain, or one for each route of a Router."""
    chains: list[list[nn.Module]] = [[]]
    for module in model:
        routes = [*module.sub_modules.values()] if isinstance(module, Router) else [nn.Sequential(module)]
        chains = [chain + list(route.children()) for chain in chains for route in routes]
    return chains


def _input_modules(model: SentenceTransformer) -> list[nn.Module]:
    return [chain[0] for chain in _chains(model)]


def _can_cut(module: nn.Module) -> bool:
    known = getattr(type(module), "max_seq_length", None)
    return hasattr(module, "max_seq_length") and not (isinstance(known, property) and known.fset is None)


def _check_route(model: SentenceTransformer, task: Task, column: str, route: Route | None) -> None:
    for module in model:
        if not isinstance(module, Router):
            continue
        try:
            module._resolve_route(task=route, modality="text")
        except ValueError:
            what = f"a {route}" if route else "a text that is neither query nor document"
            raise SpkitError(
                f"A model with routes must have one for {what}.",
                f"Found routes {', '.join(map(repr, module.sub_modules))} for column {column!r} of task {task.name!r}.",
                "Give its Router a `default_route`, or a route of that name.",
            ) from None
