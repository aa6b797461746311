"""Official tasks of mteb over files of yours, for a machine that does not reach the hub.

    [mteb.STSBenchmark]                       # in a task file; `load_mteb("STSBenchmark", {...})` in Python
    test = "stsb-test.jsonl.gz"               # mteb's name of the split = what the hub has for it

    [mteb.Banking77Classification]
    train = "banking77-train.jsonl.gz"
    test = "banking77-test.jsonl.gz"

    [mteb.STS17]
    subset = "en-en"                          # where the task has several
    test = "sts17.tsv"
    columns = {gold = "score"}                # their name = mteb's name

    [mteb.SciFact]
    test = "scifact"                          # retrieval: a folder in BEIR's layout

The class, the protocol and the score are mteb's; the files stand in for the hub's data set, with the same columns.
"""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from spkit.errors import SpkitError, quoted, reported, shown
from spkit.tasks.kinds import Kind, kinds
from spkit.tasks.names import check_names
from spkit.tasks.places import data_files, is_beir
from spkit.tasks.sources import MTEB_SETTINGS, check_official_table, mteb_tables

Given = str | Path | Sequence[str | Path]


def load_mteb(
    name: str,
    files: Mapping[str, Given] | None = None,
    *,
    columns: Mapping[str, str] | None = None,
    subset: str | None = None,
    folder: str | Path = ".",
) -> Any:
    """An official task of mteb, on local files where some are given; `spkit.evaluate` takes it beside other tasks.

    Args:
        name: mteb's, e.g. "STSBenchmark".
        files: mteb's split names to files, as `load_tasks` reads them, or to a folder in BEIR's layout for retrieval.
            A classification needs `train`, too. None: the data comes from the hub, or the hub's cache.
        columns: new names of the files' columns, `{theirs: mteb's}`.
        subset: which of the task's subsets the files hold, where it has several (languages, for example).
        folder: where relative paths start.

    Returns:
        An object of mteb's own class. It is scored on those of its evaluation splits that files are given for.

    Raises:
        SpkitError: mteb has no such task, a file is missing or wrong, or a split or column that is needed is missing.

    Example:
        >>> load_mteb("STSBenchmark", {"testing": "stsb.csv"})
        Traceback (most recent call last):
        spkit.errors.SpkitError: An official task is scored on its own splits: 'test'. Found files for 'testing'...
    """
    from spkit.tasks.mteb_names import tasks_named

    task, *others = tasks_named(name)
    if others:
        raise SpkitError(
            "Files stand in for the data of one task.", f"Found the benchmark {name!r}.", "Name a task of it."
        )
    if files is None:
        return task
    where = f"mteb's task {name!r}"
    splits = [split for split in task.eval_splits if split in files]
    if not splits:
        raise SpkitError(
            f"An official task is scored on its own splits: {quoted(task.eval_splits)}.",
            f"Found files for {quoted(files) or 'none'} ({where}).",
            f'Pass {{"{task.eval_splits[0]}": "file.jsonl"}}.',
        )
    needed = getattr(task, "train_split", None)
    if needed is not None and not getattr(task, "is_cross_validation", False) and needed not in files:
        raise SpkitError(
            "A classification is scored by classifiers that learn from its training split.",
            f"Found files for {quoted(files)} ({where}).",
            f"Give {needed!r}, too.",
        )
    subset = _subset(task, subset, where)
    paths = {split: data_files(given, folder) for split, given in files.items()}
    # The files' hash stands in place of the hub's revision: a result must not pass for one on the published data.
    revision = f"local-{_content_hash(paths)[:16]}"
    metadata = task.metadata.model_copy(update={"dataset": {**task.metadata.dataset, "revision": revision}})

    def load_data(own: Any, *_: Any, **__: Any) -> None:
        if not own.data_loaded:
            _load(own, paths, dict(columns or {}), subset, where)
            own.data_loaded = True

    made = type(type(task).__name__, (type(task),), {"metadata": metadata, "load_data": load_data})()
    made.hf_subsets = [subset]
    return made.filter_eval_splits(splits)


def load_mteb_file(path: str | Path, names: Sequence[str] | None = None, folder: str | Path | None = None) -> list[Any]:
    """The official tasks of a task file: its tables `[mteb.<name>]`.

    Args:
        path: the TOML file.
        names: which of them; all by default.
        folder: what paths in it are relative to; the file's own folder by default.

    Raises:
        SpkitError: as `load_mteb`, or a key of a table is of another type.
    """
    path = Path(path).expanduser()
    home = path.parent if folder is None else Path(folder)
    made = []
    for name, table in mteb_tables(path, names).items():
        where = f"`[mteb.{name}]` of '{path}'"
        check_official_table(table, where)
        files = {key: value for key, value in table.items() if key not in MTEB_SETTINGS}
        settings = {key: table.get(key) for key in MTEB_SETTINGS}
        try:
            made.append(load_mteb(name, files or None, folder=home, **settings))
        except SpkitError as error:
            raise SpkitError(str(error), f"(In {where}.)") from error
    return made


def _subset(task: Any, given: str | None, where: str) -> str:
    known = list(task.hf_subsets)
    subset = given or (known[0] if len(known) == 1 else None)
    if subset is None or subset not in known:
        raise SpkitError(
            "Files hold one subset of an official task.",
            f"Found {shown(given) if given else 'none named'} for {where}, which has {quoted(known)}.",
            f'Name it: subset = "{known[0]}".',
        )
    return subset


def _content_hash(paths: Mapping[str, Sequence[Path]]) -> str:
    digest = hashlib.sha256()
    for split, files in sorted(paths.items()):
        for path in files:
            for file in sorted(one for one in path.rglob("*") if one.is_file()) if path.is_dir() else [path]:
                digest.update(f"{split}\0{file.name}\0".encode())
                with file.open("rb") as handle:
                    digest.update(hashlib.file_digest(handle, "sha256").digest())
    return digest.hexdigest()


def _load(task: Any, paths: Mapping[str, Sequence[Path]], columns: dict[str, str], subset: str, where: str) -> None:
    """Fill a task's dataset from files, as it would be after loading from the hub and mteb's own transformation."""
    from datasets import DatasetDict
    from mteb.abstasks import AbsTaskRetrieval

    kind = next((kind for kind in kinds().values() if kind.mteb_type == task.metadata.type), None)
    if isinstance(task, AbsTaskRetrieval):
        searched = {split: _searched(files, kind, columns, split, where) for split, files in paths.items()}
        task.dataset = {subset: searched}
        return
    splits = DatasetDict({split: _rows(files, columns, split, task, kind, where) for split, files in paths.items()})
    several = getattr(task.metadata, "is_multilingual", False)
    task.dataset = {subset: splits} if several else splits
    try:
        task.dataset_transform()
    except Exception as error:  # each class transforms its own data, and fails in its own way on other columns
        raise SpkitError(
            "The files of an official task must have the columns of the hub's data set.",
            f"mteb's transformation of {where} failed ({type(error).__name__}: {reported(error)}); the files have "
            f"{quoted(next(iter(splits.values())).column_names)}.",
            "Name them: `columns = {theirs = mteb's}`.",
        ) from error
    made: Any = task.dataset[subset] if several else task.dataset
    for split, rows in made.items():
        if split in task.eval_splits:
            missing = [column for column in _columns(task, kind) if column not in rows.column_names]
            if missing:
                raise SpkitError(
                    f"Split {split!r} of {where} needs the columns {quoted(_columns(task, kind))}.",
                    f"Found {quoted(rows.column_names)}, without {quoted(missing)}.",
                    "Name them: `columns = {theirs = mteb's}`.",
                )


def _columns(task: Any, kind: Kind | None) -> list[str]:
    """The columns that a task's class reads, as far as it says so."""
    names = ["score"] if kind is not None and kind.mteb_type == "STS" else []
    for attribute in ("column_names", "input_column_name", "input1_column_name", "input2_column_name"):
        given = getattr(task, attribute, ())
        names += [given] if isinstance(given, str) else [one for one in given if isinstance(one, str)]
    return names + [task.label_column_name for _ in range(hasattr(task, "label_column_name"))]


def _rows(files: Sequence[Path], renames: dict[str, str], split: str, task: Any, kind: Kind | None, where: str) -> Any:
    from spkit.tasks.reading import dataset_of
    from spkit.tasks.tables import read_tables

    table = read_tables(files, split)
    if not any(table.columns.values()):
        raise SpkitError("A split must have rows.", f"Found none in {table.name} ({where}).", "Give another file.")
    check_names(list(renames), list(table.columns), f"columns of {table.name}")
    read = {renames.get(name, name): cells for name, cells in table.columns.items()}
    target = None if kind is None else kind.target
    if target is not None:
        # mteb's own name of the label may be another than ours.
        column = getattr(task, "label_column_name", target.column)
        if column not in read and target.column in read:
            read[column] = read.pop(target.column)
        single = column in read and not any(isinstance(cell, list) for cell in read[column])
        if single:
            read[column] = target.values(read[column], lambda row: table.place(row, column), table.is_text)
    return dataset_of(read, table)


def _searched(files: Sequence[Path], kind: Kind | None, columns: dict[str, str], split: str, where: str) -> Any:
    """Corpus, queries and judgements of one split."""
    from spkit.tasks.beir import read_official
    from spkit.tasks.reading import split_of
    from spkit.tasks.tables import read_tables

    if any(is_beir(path) for path in files):
        return read_official(files[0], split)
    if kind is None:
        raise SpkitError(
            "The files of this task must be a folder in BEIR's layout.", f"Found '{files[0]}' ({where}).", "Convert it."
        )
    rows = kind.written_out(split_of(read_tables(files, split), kind, columns))
    return kind.mteb_data({split: rows}, split)["default"][split]
