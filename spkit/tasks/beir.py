"""Test collections in BEIR's layout: a corpus, queries, and for each split the judgements of which belong together.

    cisi/
      corpus.jsonl        {"_id": "d1", "title": "...", "text": "..."}    all documents, most of them never judged
      queries.jsonl       {"_id": "q1", "text": "..."}
      qrels/test.tsv      query-id <tab> corpus-id <tab> score            the score says how relevant, 0 for not at all

Each file of JSON may end in .gz.
"""

import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from datasets import Dataset

from spkit.errors import SpkitError, quoted, shown
from spkit.tasks.kinds import kind_named
from spkit.tasks.names import check_names
from spkit.tasks.splits import fraction
from spkit.tasks.tables import Table, read_table

#: The splits of a task by the names that their judgements have where nothing else is said.
_USUAL = {"train": "train", "dev": "dev", "validation": "dev", "valid": "dev", "test": "test"}

#: The columns of judgements.
_JUDGED = ("query-id", "corpus-id", "score")


def beir_splits(folder: Path) -> dict[str, str]:
    """The splits that a collection has judgements for, by the task's names of them.

    Raises:
        SpkitError: there are none for a test.
    """
    there = sorted(path.name.removesuffix(".gz").removesuffix(".tsv") for path in folder.glob("qrels/*.tsv*"))
    splits = {_USUAL[name]: name for name in there if name in _USUAL}
    if "test" not in splits:
        raise SpkitError(
            "A data set in BEIR's layout must have judgements of its test split, qrels/test.tsv.",
            f"Found {quoted(there) or 'no judgements'} in '{folder}'.",
            'In a task file, name them: beir = "folder", test = "dev".',
        )
    return splits


def read_beir(folder: Path, splits: Mapping[str, str]) -> tuple[dict[str, Dataset], Dataset]:
    """Reads a collection for a retrieval task.

    Args:
        folder: holds corpus.jsonl, queries.jsonl and qrels/.
        splits: the task's splits to the names of their judgements, e.g. {"test": "test"}.

    Returns:
        (splits, corpus): of each split the columns `anchor`, `positive`, `relevance` and `document`, a row a judgement
        of 1 or more; and all documents with `id` and `text`, title and text together as mteb has them.

    Raises:
        SpkitError: a file or an entry is missing or wrong, with its line.

    Warns:
        UserWarning: queries have no relevant document, and are left out.
    """
    corpus = _entries(_one(folder, "corpus.jsonl"), titled=True)
    queries = _entries(_one(folder, "queries.jsonl"), titled=False)
    made = {split: _judged(_one(folder, f"qrels/{name}.tsv"), queries, corpus) for split, name in splits.items()}
    return made, Dataset.from_dict({"id": list(corpus), "text": [text for text, _ in corpus.values()]})


def thin_corpus(corpus: Dataset, splits: Mapping[str, Dataset], limit: int) -> Dataset:
    """A smaller corpus: all documents that answer a query, and others drawn by hash, so many in all.

    Args:
        corpus: of `read_beir`.
        splits: likewise.
        limit: documents to keep; where more of them answer a query, all of these stay.

    Raises:
        SpkitError: a limit below 1.

    Example:
        >>> corpus = Dataset.from_dict({"id": ["a", "b", "c"], "text": ["one", "two", "three"]})
        >>> judged = {"test": Dataset.from_dict({"document": ["b"]})}
        >>> sorted(thin_corpus(corpus, judged, 2)["id"])[-1], len(thin_corpus(corpus, judged, 1))
        ('b', 1)
    """
    if limit < 1:
        raise SpkitError("`corpus_limit` must be at least 1.", f"Found {limit}.", "Leave it out to keep everything.")
    answers = {document for rows in splits.values() for document in rows["document"]}
    names, texts = corpus["id"][:], corpus["text"][:]
    # The name breaks ties between equal texts, so that the selection is one and the same everywhere.
    order = sorted(
        range(len(corpus)),
        key=lambda row: (names[row] not in answers, fraction(texts[row], "limit"), names[row]),
    )
    return corpus.select(sorted(order[: max(limit, len(answers))]))


def read_official(folder: Path, name: str) -> dict[str, Any]:
    """A collection as mteb's retrieval holds one of its splits: all judgements, those of 0 too.

    Args:
        folder: holds corpus.jsonl, queries.jsonl and qrels/.
        name: of the judgements.

    Raises:
        SpkitError: as `read_beir`.
    """
    corpus = _entries(_one(folder, "corpus.jsonl"), titled=True)
    queries = _entries(_one(folder, "queries.jsonl"), titled=False)
    relevant: dict[str, dict[str, int]] = {}
    for query, document, grade in _judgements(_one(folder, f"qrels/{name}.tsv"), queries, corpus):
        relevant.setdefault(query, {})[document] = grade
    entries = {"corpus": corpus, "queries": {query: queries[query] for query in relevant}}
    rows = {
        part: Dataset.from_dict({"id": list(named), "text": [text for text, _ in named.values()]})
        for part, named in entries.items()
    }
    return {**rows, "relevant_docs": relevant, "top_ranked": None}


def _one(folder: Path, name: str) -> Path:
    for path in (folder / name, folder / f"{name}.gz"):
        if path.is_file():
            return path
    there = sorted(path.name for path in (folder / name).parent.glob("*"))
    raise SpkitError(
        f"A data set in BEIR's layout must hold {name}.",
        f"Found {quoted(there) or 'nothing'} in '{(folder / name).parent}'.",
        "Name the folder that holds corpus.jsonl, queries.jsonl and qrels/, and splits that it has.",
    )


def _entries(path: Path, titled: bool) -> dict[str, tuple[str, str]]:
    """Text and place of each document or query, by its name."""
    table = read_table(path)
    check_names(["_id", "text"], list(table.columns), f"columns of '{path}'", 'Write {"_id": ..., "text": ...}.')
    titles = table.columns.get("title") if titled else None
    entries: dict[str, tuple[str, str]] = {}
    for row, (name, text) in enumerate(zip(table.columns["_id"], table.columns["text"], strict=True)):
        title = titles[row] if titles is not None and titles[row] is not None else ""
        for column, cell in (("_id", name), ("text", text), ("title", title)):
            # Documents may be empty, as some of BEIR's are.
            if not isinstance(cell, str) and not (column == "_id" and isinstance(cell, int)):
                raise SpkitError(
                    "Documents and queries must be texts.",
                    f"Found {shown(cell)} in {table.place(row, column)}.",
                    "Drop the entry or fill it in.",
                )
        if str(name) in entries:
            raise SpkitError(
                "Each document and each query must have a name of its own.",
                f"Found {shown(name)} again in {table.place(row, '_id')}.",
                "Rename one of them.",
            )
        whole = f"{title} {text}".strip() if title else text.strip()
        if not whole.isascii():
            kind_named("retrieval").check_texts("anchor", whole or "-", table.place(row, "text"))
        entries[str(name)] = whole, table.place(row, "text")
    return entries


def _judgements(
    path: Path, queries: Mapping[str, tuple[str, str]], corpus: Mapping[str, tuple[str, str]]
) -> Iterator[tuple[str, str, int]]:
    """Query, document and grade of each judgement."""
    table = read_table(path)
    check_names(list(_JUDGED), list(table.columns), f"columns of '{path}'", "Its first line holds these names.")
    for row, (query, document, score) in enumerate(zip(*(table.columns[name] for name in _JUDGED), strict=True)):
        for column, name, known in (("query-id", query, queries), ("corpus-id", document, corpus)):
            if name not in known:
                raise SpkitError(
                    "Judgements must name queries and documents that are there.",
                    f"Found {shown(name)} in {table.place(row, column)}.",
                    "Add the entry, or drop the line.",
                )
        yield query, document, _grade(score, table, row)


def _judged(path: Path, queries: Mapping[str, tuple[str, str]], corpus: Mapping[str, tuple[str, str]]) -> Dataset:
    rows: dict[str, list[Any]] = {"anchor": [], "positive": [], "relevance": [], "document": []}
    lone: dict[str, None] = {}
    for query, document, grade in _judgements(path, queries, corpus):
        if grade < 1:
            lone.setdefault(query)
            continue
        for text, place in (queries[query], corpus[document]):
            if not text:
                raise SpkitError(
                    "A query and a document that is relevant must not be empty.",
                    f"Found none in {place}.",
                    "Fill it in.",
                )
        cells = (queries[query][0], corpus[document][0], grade, document)
        for column, cell in zip(rows, cells, strict=True):
            rows[column].append(cell)
    answered = set(rows["anchor"])
    left = [query for query in lone if queries[query][0] not in answered]
    if left:
        warnings.warn(
            f"'{path}': {len(left)} queries have no relevant document and are left out, e.g. {left[0]!r}.",
            UserWarning,
            stacklevel=2,
        )
    return Dataset.from_dict(rows)


def _grade(score: str, table: Table, row: int) -> int:
    try:
        value = float(score)
        if value.is_integer():
            return int(value)
    except (ValueError, OverflowError):
        pass
    raise SpkitError(
        "Judgements must be whole numbers: 0 for not relevant, 1 and more for how relevant.",
        f"Found {shown(score)} in {table.place(row, 'score')}.",
        "Drop the line or fill it in.",
    )
