"""Tasks from your own files or from the hub, described in a TOML file.

    [tasks.faq]
    kind = "retrieval"
    train = "faq.csv"                                     # relative to this file; or ["a.csv", "b.csv"], "faq-*.csv"
    columns = {question = "anchor", answer = "positive"}  # their name = our name; others keep theirs
    prompts = {anchor = "query: "}

    [tasks.intent]
    kind = "classification"
    hub = "owner/name"                                    # or a folder; then train, dev, test are split names there
    revision = "0123abc"
    train = "train"
    test = "test"
    limit = 2000                                          # at most so many examples per split, drawn by hash

    [tasks.medical]
    kind = "retrieval"
    train = {file = "medquad.jsonl.gz", except = {source = ["CDC", "NIH"]}}   # rows with other values in this column
    test = {file = "medquad.jsonl.gz", where = {source = ["CDC", "NIH"]}}     # rows with one of these values
    unique = true              # each text in one example only: that of test, else dev, else the first of train
    apart_from = ["cisi"]      # rows of train and dev go whose texts these tasks of the file are scored by

    [tasks.inference]
    kind = "sts"
    train = {file = "pairs.jsonl", where = {label = ["entailment", "contradiction"]}}
    columns = {premise = "sentence1", hypothesis = "sentence2", label = "score"}
    values = {label = {entailment = 1, contradiction = 0}}   # their value = our value, by their column

    [tasks.near]
    kind = "sts"
    train = "near.csv"
    loss = "infonce"           # in place of the kind's own: "infonce", "cosent", "supcon" or "contrastive"
    temperature = 0.02         # of the loss; its own by default
    positive_from = 4.0        # for InfoNCE on scores: pairs from here on are positives,
    negative_to = 1.0          # those up to here hard negatives of a positive of the same text

    [tasks.both]
    pool = ["faq", "near"]     # tasks of this file, trained on as one, each batch from one; then `temperature` at most

    [tasks.cisi]
    kind = "retrieval"
    beir = "cisi"              # a folder in BEIR's layout: corpus.jsonl, queries.jsonl, qrels/; `spkit.tasks.beir`
    test = "test"              # names of judgements there; by default all whose names are those of splits
    corpus_limit = 2000        # at most so many documents, drawn by hash, if no more than these answer a query

    [tasks.headline]
    bundled = true

    [mteb.STSBenchmark]        # an official task of mteb on files of yours: `spkit.tasks.official`
    test = "stsb-test.jsonl.gz"

Files are CSV, TSV, JSONL, JSON (each also with .gz), Parquet, and folders that `save_to_disk` wrote; `~` is your home.
Without `test`, a quarter of the texts of train is kept apart by hash (`test_share = 0.25`), and without `dev`, 15 % of
the rest (`dev_share = 0.15`). A task with `test` alone is only ever scored, as one with `role = "unseen"` is; one with
`role = "training"` is only ever trained on, and has no test. In a CSV or TSV file a column of lists holds JSON, e.g.
`["one text", "another"]`, or a single text. Of a file, only the columns that the kind knows are read. FlagEmbedding's
names `query`, `pos`, `neg` are known, and its `prompt` where all rows have the same.
"""

import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from datasets import Dataset

from spkit.errors import SpkitError, quoted, shown
from spkit.tasks.beir import beir_splits, read_beir, thin_corpus
from spkit.tasks.bundled import load_bundled
from spkit.tasks.hub import read_hub_split
from spkit.tasks.kinds import Kind, kind_named
from spkit.tasks.leaks import apart, scored_texts
from spkit.tasks.names import BUNDLED_NAMES, check_names
from spkit.tasks.places import data_files, is_beir
from spkit.tasks.pools import pool_tasks
from spkit.tasks.reading import PROMPT, hub_split_of, read_split
from spkit.tasks.rows import RowChoice, unique_texts
from spkit.tasks.sources import task_tables
from spkit.tasks.splits import bare, keep_apart, thin
from spkit.tasks.table_keys import KEYS, LOSS_KEYS, check_table, splits_made
from spkit.tasks.tables import files_read_once
from spkit.tasks.task import Task


def load_task_file(
    path: str | Path, names: Sequence[str] | None = None, folder: str | Path | None = None
) -> dict[str, Task]:
    """Loads the tasks of a TOML file (the module's docstring shows one).

    Args:
        path: the TOML file.
        names: which of its tasks, in this order; all by default. Only these are read.
        folder: what paths in it are relative to; the file's own folder by default.

    Returns:
        Tasks by name.

    Raises:
        SpkitError: the file is missing or no TOML, a key or kind is unknown, a data file is missing or unreadable, or
            the data breaks a rule of `Task`.
    """
    file = _TaskFile(Path(path), folder)
    with files_read_once():
        return {name: file.task(name) for name in task_tables(file.path, names)}


class _TaskFile:
    """A task file while it is read: each of its tasks is made once, whoever asks for it."""

    def __init__(self, path: Path, folder: str | Path | None) -> None:
        self.path, self.home = path, path.parent if folder is None else Path(folder)
        self.tables = task_tables(path)
        self._made: dict[str, Task] = {}
        self._tested: dict[str, set[str]] = {}

    def task(self, name: str) -> Task:
        """One of its tasks."""
        if name not in self._made:
            self._made[name] = _build(name, self.tables[name], self)
        return self._made[name]

    def tested(self, name: str) -> set[str]:
        """The texts that a task is scored by, each as `bare` has it; its own `apart_from` does not touch them."""
        if name not in self._tested:
            self._tested[name] = {bare(text) for text in scored_texts(self._scored(name))}
        return self._tested[name]

    def _scored(self, name: str) -> Task:
        check_names([name], list(self.tables), f"tasks of '{self.path}'")
        table = self.tables[name]
        if isinstance(table, dict) and ("pool" in table or table.get("role") == "training"):
            raise SpkitError("What is only trained on is not scored.", f"Found {name!r}.", "Name another task.")
        if not isinstance(table, dict) or "apart_from" not in table:
            return self.task(name)
        with warnings.catch_warnings():  # what it warns of is said where it is loaded for itself
            warnings.simplefilter("ignore")
            return _build(name, {key: value for key, value in table.items() if key != "apart_from"}, self)


def _build(name: str, table: Any, file: _TaskFile) -> Task:
    where, home = f"task {name!r} of '{file.path}'", file.home
    if not isinstance(table, dict):
        raise SpkitError("A task must be a table `[tasks.<name>]`.", f"Found {table!r} for {where}.")
    if "bundled" in table:
        if table != {"bundled": True} or name not in BUNDLED_NAMES:
            raise SpkitError(
                "A bundled task is written `bundled = true` under its own name, without other keys.",
                f"Found {table!r} for {where}; bundled are {quoted(BUNDLED_NAMES)}.",
            )
        return load_bundled([name])[name]
    if "pool" in table:
        return _build_pool(name, table, file)
    check_table(table, where)
    kind, role = table["kind"], table.get("role")
    corpus: Dataset | None = None
    if "beir" in table:
        given, corpus = _read_collection(table, home, where)
    else:
        read = _hub_reader(table, home, where) if "hub" in table else _file_reader(home, where)
        given = {split: read(split, table) for split in ("train", "dev", "test") if split in table}
    given, prompts = _with_prompts(given, table, where)
    if table.get("unique", False):
        given = unique_texts(given, kind)
    given, notes = _apart(given, kind_named(kind), table.get("apart_from", ()), file, where)
    taken: list[str] = []
    try:
        for split, default in splits_made(table).items():
            if split not in given and "train" in given:
                taken.append(split)
                share = table.get(f"{split}_share", default)
                given["train"], given[split] = keep_apart(given["train"], kind, share, split)
        if "limit" in table:
            given = {split: thin(dataset, kind, table["limit"]) for split, dataset in given.items()}
    except SpkitError as error:
        raise SpkitError(f"The splits of {where} cannot be made.", str(error)) from error
    splits: dict[str, Any] = given | {key: table[key] for key in LOSS_KEYS if key in table}
    try:
        about: dict[str, Any] = {"role": role, "corpus": corpus, "notes": notes, "from_train": tuple(taken)}
        return Task(name=name, kind=kind, prompts=prompts, **about, **splits)
    except SpkitError as error:
        raise SpkitError(str(error), f"(In {where}.)") from error


def _apart(
    given: Mapping[str, Dataset], kind: Kind, names: Sequence[str], file: _TaskFile, where: str
) -> tuple[dict[str, Dataset], tuple[str, ...]]:
    """The splits without the rows of train and dev that other tasks are scored by, and how many these were."""
    if not names:
        return dict(given), ()
    try:
        texts = set().union(*map(file.tested, names))
    except SpkitError as error:
        raise SpkitError(f"`apart_from` of {where}: {error}") from error
    kept = {split: rows if split == "test" else apart(rows, kind, texts) for split, rows in given.items()}
    if gone := [split for split, rows in kept.items() if not len(rows)]:
        raise SpkitError(
            "`apart_from` must leave examples.",
            f"Found none left in {quoted(gone)} of {where}: each has a text of {quoted(names)}.",
            "Take another split, or leave out one of the names.",
        )
    parts = [
        f"{len(given[split]) - len(rows)} of {len(given[split])} rows of {split}"
        for split, rows in kept.items()
        if len(rows) < len(given[split])
    ]
    said = f"{' and '.join(parts)} left out, whose texts stand in the test of {quoted(names)}"
    return kept, (said,) if parts else ()


def _build_pool(name: str, table: Mapping[str, Any], file: _TaskFile) -> Task:
    where = f"task {name!r} of '{file.path}'"
    check_names(list(table), ["pool", "temperature"], f"keys of a pool ({where})")
    names = table["pool"]
    listed = isinstance(names, list) and all(isinstance(one, str) for one in names)
    if not listed or not names or len(set(names)) < len(names):
        raise SpkitError("`pool` must list names of tasks of the file, each once.", f"Found {shown(names)} in {where}.")
    temperature = table.get("temperature")
    if temperature is not None and not isinstance(temperature, KEYS["temperature"]):
        raise SpkitError("`temperature` must be a positive number.", f"Found {shown(temperature)} in {where}.")
    try:
        for member, its in task_tables(file.path, names).items():
            if isinstance(its, dict) and "pool" in its:
                raise SpkitError("A pool holds tasks, and no other pool.", f"Found {member!r}.", "Name its members.")
        return pool_tasks(name, {member: file.task(member) for member in names}, temperature=temperature)
    except SpkitError as error:
        raise SpkitError(str(error), f"(In {where}.)") from error


def _with_prompts(
    given: dict[str, Dataset], table: Mapping[str, Any], where: str
) -> tuple[dict[str, Dataset], Mapping[str, str] | None]:
    """The splits without the column of prompts, and the task's prompts: its own, or the one that all rows have."""
    found = {text for rows in given.values() if PROMPT in rows.column_names for text in rows[PROMPT]}
    given = {
        split: rows.remove_columns(PROMPT) if PROMPT in rows.column_names else rows for split, rows in given.items()
    }
    if "prompts" in table or not found - {None, ""}:
        return given, table.get("prompts")
    if len(found) > 1 or not isinstance(prompt := next(iter(found)), str):
        raise SpkitError(
            "The queries of a task have one prompt.",
            f"Found {len(found)} in the column {PROMPT!r} of {where}: {quoted(sorted(map(str, found))[:3])}.",
            f'Make a task of each (train = {{file = "...", where = {{{PROMPT} = ["..."]}}}}), or give `prompts`.',
        )
    return given, {kind_named(table["kind"]).texts[0]: prompt}


def _read_collection(table: Mapping[str, Any], home: Path, where: str) -> tuple[dict[str, Dataset], Dataset]:
    try:
        (folder,) = data_files(table["beir"], home)
        if not is_beir(folder):
            raise SpkitError(
                "`beir` must be a folder with corpus.jsonl, queries.jsonl and qrels/.", f"Found '{folder}'.", "Name it."
            )
        named = {split: table[split] for split in ("train", "dev", "test") if split in table}
        made, corpus = read_beir(folder, named or beir_splits(folder))
        return made, corpus if "corpus_limit" not in table else thin_corpus(corpus, made, table["corpus_limit"])
    except SpkitError as error:
        raise SpkitError(str(error), f"(In {where}.)") from error


def load_collection(folder: str | Path) -> dict[str, Task]:
    """The task of a folder in BEIR's layout, under the folder's name: its corpus, and the splits it has judgements of.

    Raises:
        SpkitError: a file is missing or wrong, with its line.
    """
    folder = Path(folder).expanduser().resolve()
    given: dict[str, Any]
    given, corpus = read_beir(folder, beir_splits(folder))
    return {folder.name: Task(name=folder.name, kind="retrieval", corpus=corpus, **given)}


Reader = Callable[[str, Mapping[str, Any]], Dataset]


def _file_reader(home: Path, where: str) -> Reader:
    def read(split: str, table: Mapping[str, Any]) -> Dataset:
        given, rows = table[split], None
        if isinstance(given, dict):
            given, rows = given["file"], RowChoice.of_table(given)
        try:
            return read_split(
                data_files(given, home), table["kind"], table.get("columns"), rows, split, table.get("values")
            )
        except SpkitError as error:  # which file, it says; which task the file belongs to is known here only
            raise SpkitError(str(error), f"(In {where}.)") from error

    return read


def _hub_reader(table: Mapping[str, Any], home: Path, where: str) -> Reader:
    # A folder, beside the task file or elsewhere, has the same form as a data set of the hub.
    folder = home / Path(table["hub"]).expanduser()
    source = str(folder) if folder.is_dir() else table["hub"]

    def read(split: str, table: Mapping[str, Any]) -> Dataset:
        dataset = read_hub_split(source, table[split], table.get("config"), table.get("revision"))
        named = f"split {table[split]!r} of {table['hub']!r} ({where})"
        return hub_split_of(dataset, kind_named(table["kind"]), table.get("columns", {}), named)

    return read
