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
from functools import cache
from pathlib import Path
from typing import Any

from datasets import Dataset

from spkit.errors import SpkitError, quoted, shown
from spkit.tasks.beir import beir_splits, read_beir, thin_corpus
from spkit.tasks.bundled import load_bundled
from spkit.tasks.hub import read_hub_split
from spkit.tasks.kinds import Kind, kind_named, kinds
from spkit.tasks.leaks import apart, scored_texts
from spkit.tasks.names import BUNDLED_NAMES, check_names
from spkit.tasks.places import data_files, is_beir, is_file
from spkit.tasks.pools import pool_tasks
from spkit.tasks.reading import PROMPT, hub_split_of, read_split
from spkit.tasks.rows import SPLITS, RowChoice, check_row_choice, unique_texts
from spkit.tasks.sources import task_tables
from spkit.tasks.splits import DEV_SHARE, TEST_SHARE, bare, keep_apart, thin
from spkit.tasks.task import Task

#: Keys of what a task table says of the loss, as `Task` has them.
LOSS_KEYS = ("loss", "temperature", "positive_from", "negative_to")

#: Keys of a task table and the types they may have.
KEYS: dict[str, tuple[type, ...]] = {
    "kind": (str,),
    "train": (str, list, dict),
    "dev": (str, list, dict),
    "test": (str, list, dict),
    "columns": (dict,),
    "values": (dict,),
    "prompts": (dict,),
    "limit": (int,),
    "unique": (bool,),
    "apart_from": (list,),
    "dev_share": (float,),
    "test_share": (float,),
    "role": (str,),
    "loss": (str,),
    "temperature": (int, float),
    "positive_from": (int, float),
    "negative_to": (int, float),
    "beir": (str,),
    "corpus_limit": (int,),
    "hub": (str,),
    "config": (str,),
    "revision": (str,),
}


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
    path = Path(path)
    tables, every = task_tables(path, names), task_tables(path)
    home = path.parent if folder is None else Path(folder)

    @cache
    def tested(name: str) -> set[str]:
        check_names([name], list(every), f"tasks of '{path}'")
        with warnings.catch_warnings():  # what it warns of is said where it is loaded for itself
            warnings.simplefilter("ignore")
            other = _build(name, every[name], path, home, lambda _: set())
        if not other.scored:
            raise SpkitError('A task of the role "training" is not scored.', f"Found {name!r}.", "Name another.")
        return {bare(text) for text in scored_texts(other)}

    return {name: _build(name, table, path, home, tested) for name, table in tables.items()}


#: The texts that a task of the file is scored by, each as `bare` has it.
Tested = Callable[[str], set[str]]


def _build(name: str, table: Any, path: Path, home: Path, tested: Tested) -> Task:
    where = f"task {name!r} of '{path}'"
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
        return _build_pool(name, table, path, home, tested)
    _check_table(table, where)
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
    given, notes = _apart(given, kind_named(kind), table.get("apart_from", ()), tested, where)
    try:
        for split, default in _made(table).items():
            if split not in given and "train" in given:
                share = table.get(f"{split}_share", default)
                given["train"], given[split] = keep_apart(given["train"], kind, share, split)
        if "limit" in table:
            given = {split: thin(dataset, kind, table["limit"]) for split, dataset in given.items()}
    except SpkitError as error:
        raise SpkitError(f"The splits of {where} cannot be made.", str(error)) from error
    splits: dict[str, Any] = given | {key: table[key] for key in LOSS_KEYS if key in table}
    return Task(name=name, kind=kind, prompts=prompts, role=role, corpus=corpus, notes=notes, **splits)


def _made(table: Mapping[str, Any]) -> dict[str, float]:
    """The splits that are taken from train where they are not given, test first, with their usual shares."""
    shares = {"test": TEST_SHARE, "dev": DEV_SHARE}
    none = {"training": {"test"}, "unseen": {*shares}}.get(table.get("role", ""), set())
    return {split: share for split, share in shares.items() if split not in none and kind_named(table["kind"]).trained}


def _apart(
    given: Mapping[str, Dataset], kind: Kind, names: Sequence[str], tested: Tested, where: str
) -> tuple[dict[str, Dataset], tuple[str, ...]]:
    """The splits without the rows of train and dev that other tasks are scored by, and how many these were."""
    if not names:
        return dict(given), ()
    try:
        texts = set().union(*map(tested, names))
    except SpkitError as error:
        raise SpkitError(f"`apart_from` of {where}: {error}") from error
    kept = {split: rows if split == "test" else apart(rows, kind, texts) for split, rows in given.items()}
    if gone := [split for split, rows in kept.items() if not len(rows)]:
        raise SpkitError(
            "`apart_from` must leave examples.",
            f"Found none left in {quoted(gone)} of {where}: each has a text of {quoted(names)}.",
            "Take another split, or leave out one of the names.",
        )
    parts = [f"{len(given[split]) - len(rows)} of {len(given[split])} rows of {split}" for split, rows in kept.items()
             if split != "test"]  # fmt: skip
    return kept, (f"{' and '.join(parts)} left out, whose texts stand in the test of {quoted(names)}",)


def _build_pool(name: str, table: Mapping[str, Any], path: Path, home: Path, tested: Tested) -> Task:
    where = f"task {name!r} of '{path}'"
    check_names(list(table), ["pool", "temperature"], f"keys of a pool ({where})")
    names = table["pool"]
    listed = isinstance(names, list) and all(isinstance(one, str) for one in names)
    if not listed or not names or len(set(names)) < len(names):
        raise SpkitError("`pool` must list names of tasks of the file, each once.", f"Found {shown(names)} in {where}.")
    temperature = table.get("temperature")
    if temperature is not None and not isinstance(temperature, KEYS["temperature"]):
        raise SpkitError("`temperature` must be a positive number.", f"Found {shown(temperature)} in {where}.")
    try:
        members = task_tables(path, names)
        for member, its in members.items():
            if isinstance(its, dict) and "pool" in its:
                raise SpkitError("A pool holds tasks, and no other pool.", f"Found {member!r}.", "Name its members.")
        made = {member: _build(member, its, path, home, tested) for member, its in members.items()}
        return pool_tasks(name, made, temperature=temperature)
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


def _check_table(table: Mapping[str, Any], where: str) -> None:
    check_names(list(table), ["bundled", *KEYS], f"keys of a task table ({where})")
    kind = kinds().get(table["kind"]) if isinstance(table.get("kind"), str) else None
    scored = kind is not None and not kind.needs_train and ("test" in table or table.get("role") == "unseen")
    needed = "test" if kind is not None and (not kind.trained or scored) else "train"
    for key in ("kind", *([] if "beir" in table else [needed])):
        if key not in table:
            raise SpkitError(f"A task table must have {key!r}.", f"Found {quoted(table) or 'nothing'} in {where}.")
    for key, value in table.items():
        if not isinstance(value, KEYS[key]) or (isinstance(value, bool) and bool not in KEYS[key]):
            types = " or ".join(kind.__name__ for kind in KEYS[key])
            raise SpkitError(f"`{key}` must be of type {types}.", f"Found {shown(value)} in {where}.")
        if isinstance(value, dict) and key in SPLITS:
            check_row_choice(value, where)
        elif isinstance(value, list) and key == "apart_from" and not all(isinstance(one, str) for one in value):
            raise SpkitError("`apart_from` must list names of tasks.", f"Found {shown(value)} in {where}.")
        elif key in SPLITS and not is_file(value):
            raise SpkitError(
                "A split is a file or a list of files.",
                f"Found {shown(value)} in {where}.",
                'Write ["a.csv", "b.csv"].',
            )
        elif isinstance(value, dict) and key == "values":
            _check_values(value, where)
        elif isinstance(value, dict) and not all(isinstance(text, str) for text in value.values()):
            raise SpkitError(f"`{key}` must map names to strings.", f"Found {shown(value)} in {where}.")
    check_names([table["kind"]], list(kinds()), f"kinds of task ({where})")
    _check_company(table, where)


def _check_values(values: Mapping[str, Any], where: str) -> None:
    for column, ours in values.items():
        plain = isinstance(ours, dict) and all(isinstance(value, str | int | float) for value in ours.values())
        if not plain:
            raise SpkitError(
                "`values` must hold a table of values for each column.",
                f"Found {shown(ours)} for {column!r} in {where}.",
                "Write values = {label = {entailment = 1, contradiction = 0}}, for example.",
            )


def _check_company(table: Mapping[str, Any], where: str) -> None:
    """Raises where keys stand in a table that mean nothing beside the others."""
    kind = kind_named(table["kind"])
    elsewhere = "beir" in table or "hub" in table
    if elsewhere and any(not isinstance(table.get(split, ""), str) for split in SPLITS):
        raise SpkitError("Beside `beir` and `hub` a split is the name it has there.", f"Found another in {where}.")
    if "beir" in table and (not kind.searches or {"hub", "columns", "limit", "unique"} & {*table}):
        raise SpkitError(
            "A collection in BEIR's layout is a retrieval task, and is read as a whole.",
            f"Found {quoted(table)} in {where}.",
            "Leave out `hub`, `columns`, `limit` and `unique`.",
        )
    if "corpus_limit" in table and "beir" not in table:
        raise SpkitError("`corpus_limit` belongs to `beir`.", f"Found it alone in {where}.", "Write `limit`.")
    if elsewhere and "values" in table:
        raise SpkitError(
            "`values` are of data files.", f"Found them beside `beir` or `hub` in {where}.", "Leave it out."
        )
    lone = [key for key in ("config", "revision") if key in table and "hub" not in table]
    made = [split for split in _made(table) if "train" in table and split not in table]
    lone += [key for key in ("dev_share", "test_share") if key in table and key.removesuffix("_share") not in made]
    if "apart_from" in table and ("train" not in table or table.get("role") == "unseen"):
        raise SpkitError(
            "Only what is trained on is kept apart from the tests of other tasks.",
            f"Found `apart_from` in {where}.",
            "Write it into the tables of the tasks that are trained on.",
        )
    if lone:
        raise SpkitError(
            "`config` and `revision` belong to `hub`; a share belongs to a split that is taken from train.",
            f"Found {quoted(lone)} in {where}.",
            "Leave them out.",
        )


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
