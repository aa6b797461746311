"""The nearest documents of a text under several models, side by side."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Float
from sentence_transformers import SentenceTransformer
from sentence_transformers.util import semantic_search

from spkit.errors import SpkitError, quoted, shown
from spkit.evaluation.embedded import embed_once, embedder
from spkit.evaluation.examples import rows_looked_at
from spkit.evaluation.measuring import mode_kept
from spkit.models.bases import load_model
from spkit.models.embedding import similarity, similarity_name
from spkit.tasks import Task


def nearest(
    text: str,
    models: Mapping[str, SentenceTransformer | str | Path],
    documents: Sequence[str] | Task,
    k: int = 5,
    *,
    split: str | None = None,
    batch_size: int = 64,
) -> pd.DataFrame:
    """The documents that are nearest to a text, for each model beside the others.

    Args:
        text: what is searched for.
        models: name to a model, its folder or its hub id; `{"a": vectors.at(...), "b": vectors.at(...)}`.
        documents: texts, which each model embeds as queries and documents in its own way; or a Task, whose texts are
            searched as its evaluation reads them: of a search the documents of the split and the corpus, of other
            kinds all texts of the split.
        k: how many documents.
        split: of a task; see `changed_examples`.
        batch_size: texts embedded at once.

    Returns:
        A row a place, 1 for the nearest: `place`, then for each model `document:NAME` and `similarity:NAME`.

    Raises:
        SpkitError: an empty text, no models, no documents, `k` below 1.

    Example:
        >>> import spkit
        >>> models = {"l3": spkit.load_base("minilm-l3"), "l6": spkit.load_base("minilm-l6")}
        >>> table = nearest("a sleeping cat", models, ["The cat naps.", "Stocks fell."], k=1)
        >>> table["document:l6"].tolist(), list(table.columns)[:3]
        (['The cat naps.'], ['place', 'document:l3', 'similarity:l3'])
    """
    if not isinstance(text, str) or not text.strip():
        raise SpkitError(
            "`text` must be a text that is not empty.", f"Found {shown(text)}.", "Pass what to search for."
        )
    if not isinstance(models, Mapping) or not models:
        raise SpkitError(
            "`models` must be models by name.", f"Found {shown(models)}.", 'Pass {"a": model, "b": other}.'
        )
    if k < 1:
        raise SpkitError("`k` must be 1 or more.", f"Found {k}.", "Pass `k=5`.")
    task = documents if isinstance(documents, Task) else None
    column, texts = _documents(documents, split)
    table = pd.DataFrame({"place": np.arange(1, min(k, len(texts)) + 1)})
    for name, source in models.items():
        model = load_model(source)
        with mode_kept(model):
            if task is None:
                asked, known = (
                    embed_once(partial(encode, batch_size=batch_size), given, "documents")
                    for encode, given in ((model.encode_query, [text]), (model.encode_document, texts))
                )
                function = model.similarity_fn_name
            else:
                embed = embedder(model, task, batch_size)
                asked, known = embed(task.definition.texts[0], [text]), embed(column, texts)
                function = similarity_name(model, task)
            places, close = _search(asked, known, function, len(table))
        table[f"document:{name}"] = [texts[place] for place in places]
        table[f"similarity:{name}"] = close
    return table


def _documents(documents: Sequence[str] | Task, split: str | None) -> tuple[str, list[str]]:
    """The column that the texts are read as, and the distinct texts."""
    if isinstance(documents, Task):
        rows, kind = rows_looked_at(documents, split).with_format(None), documents.definition
        columns = kind.text_columns(rows.column_names)
        searched = columns[1:] if kind.asymmetric else columns
        cells = [cell for column in searched for cell in rows[column][:]]
        texts = [one for cell in cells for one in kind.texts_in(cell)]
        texts += [] if documents.corpus is None else documents.corpus.with_format(None)["text"][:]
        return searched[0], list(dict.fromkeys(texts))
    if split is not None:
        raise SpkitError("`split` is of a task.", "Found texts as `documents`.", "Leave it out, or pass a Task.")
    texts = [] if isinstance(documents, str) else list(documents)
    strange = [one for one in texts if not isinstance(one, str) or not one.strip()]
    if not texts or strange:
        raise SpkitError(
            "`documents` must be texts that are not empty, or a Task.",
            f"Found {quoted(map(str, strange[:3])) if strange else shown(documents)}.",
            "Pass a list of texts.",
        )
    return "", list(dict.fromkeys(texts))


def _search(
    asked: Float[np.ndarray, "1 D"], known: Float[np.ndarray, "n D"], function: str, k: int
) -> tuple[list[int], list[float]]:
    """Numbers of the nearest documents and their similarities, by sentence-transformers' own search."""
    import torch

    query, corpus = torch.from_numpy(asked), torch.from_numpy(known)
    (hits,) = semantic_search(query, corpus, top_k=k, score_function=similarity(function))
    return [int(hit["corpus_id"]) for hit in hits], [float(hit["score"]) for hit in hits]
