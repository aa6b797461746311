"""Tasks from files and from the hub, and what is said when a file is wrong."""

import csv
import gzip
import json
from pathlib import Path

import datasets
import pytest
from datasets import Dataset

from spkit.errors import SpkitError
from spkit.tasks import load_tasks
from spkit.tasks.reading import read_split
from spkit.tasks.splits import keep_apart

# Texts that readers like to turn into something else: missing values, numbers, dates, separators.
ROWS = [
    {"anchor": "NA", "positive": 'she said "no", then left'},
    {"anchor": "1984", "positive": "a book\nby Orwell"},
    {"anchor": "2004-05-01", "positive": "a\tdate"},
    {"anchor": "Grüße, null", "positive": "true"},
]


def write(path: Path, rows: list[dict]) -> Path:
    """Writes rows in the format that the ending names."""
    name = path.name.removesuffix(".gz")
    if name.endswith(".parquet"):
        Dataset.from_list(rows).to_pandas().to_parquet(path)  # type: ignore[union-attr]
        return path
    with (gzip.open if path.suffix == ".gz" else open)(path, "wt", encoding="utf-8", newline="") as handle:
        if name.endswith(".jsonl"):
            handle.writelines(json.dumps(row) + "\n" for row in rows)
        else:
            writer = csv.DictWriter(handle, list(rows[0]), delimiter="\t" if name.endswith(".tsv") else ",")
            writer.writeheader()
            writer.writerows(rows)
    return path


def faq(count: int, first: int = 0) -> list[dict]:
    return [{"question": f"question {n}", "answer": f"answer {n}", "source": "x"} for n in range(first, first + count)]


def toml(folder: Path, text: str) -> Path:
    path = folder / "tasks.toml"
    path.write_text(text, encoding="utf-8")
    return path


ENDINGS = [".csv", ".tsv", ".jsonl", ".csv.gz", ".tsv.gz", ".jsonl.gz", ".parquet"]


@pytest.mark.parametrize("ending", ENDINGS)
def test_every_format_gives_the_texts_back(tmp_path, ending):
    read = read_split(write(tmp_path / f"rows{ending}", ROWS), "retrieval")
    assert read.to_list() == ROWS
    assert not read.cache_files
    assert [path.name for path in tmp_path.iterdir()] == [f"rows{ending}"]


@pytest.mark.parametrize("ending", [".csv", ".jsonl", ".parquet"])
def test_scores_and_labels_are_numbers(tmp_path, ending):
    rows = [{"sentence1": "a", "sentence2": "1.5", "score": score, "subset": "7"} for score in (4.25, 0.0)]
    assert read_split(write(tmp_path / f"sts{ending}", rows), "sts").to_list() == rows
    rows = [{"sentence1": "a", "sentence2": "b", "label": label} for label in (0, 1)]
    assert read_split(write(tmp_path / f"pair{ending}", rows), "pair").to_list() == rows


@pytest.mark.parametrize(
    ("labels", "expected"),
    [(["0", "-12"], [0, -12]), (["0", "01"], ["0", "01"]), (["1", "one"], ["1", "one"]), (["1", ""], ["1", ""])],
)
def test_labels_in_text_files(tmp_path, labels, expected):
    path = write(tmp_path / "a.csv", [{"text": f"t{n}", "label": label} for n, label in enumerate(labels)])
    assert read_split(path, "classification")["label"][:] == expected


def test_a_byte_order_mark_is_no_part_of_the_name(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("anchor,positive\nq,a\n", encoding="utf-8-sig")
    assert read_split(path, "retrieval").to_list() == [{"anchor": "q", "positive": "a"}]


def test_renaming_keeps_what_the_kind_knows(tmp_path):
    path = write(tmp_path / "a.jsonl", [{**row, "negative_1": "no"} for row in faq(3)])
    read = read_split(path, "retrieval", {"question": "anchor", "answer": "positive"})
    assert read.column_names == ["anchor", "positive", "negative_1"]


# --- TOML


def test_a_task_file(tmp_path):
    (tmp_path / "data").mkdir()
    write(tmp_path / "data" / "train.csv.gz", faq(200))
    write(tmp_path / "data" / "test.parquet", faq(20, 500))
    write(tmp_path / "sts.tsv", [{"sentence1": f"a{n}", "sentence2": f"b{n}", "score": n / 50} for n in range(100)])
    path = toml(
        tmp_path,
        """
        [tasks.faq]
        kind = "retrieval"
        train = "data/train.csv.gz"
        test = "data/test.parquet"
        columns = {question = "anchor", answer = "positive"}
        prompts = {anchor = "query: "}

        [tasks.likeness]
        kind = "sts"
        train = "sts.tsv"
        limit = 30

        [tasks.chat]
        bundled = true
        """,
    )
    tasks = load_tasks(path)
    assert list(tasks) == ["faq", "likeness", "chat"]
    faq_task = tasks["faq"]
    assert (faq_task.kind, faq_task.prompts, len(faq_task.test)) == ("retrieval", {"anchor": "query: "}, 20)
    assert len(faq_task.train) + len(faq_task.splits["dev"]) == 200
    assert tasks["chat"].fingerprint() == load_tasks(["chat"])["chat"].fingerprint()
    assert len(tasks["likeness"].train) == 30
    assert list(load_tasks(str(path), ["likeness"])) == ["likeness"]
    assert load_tasks(path)["faq"].fingerprint() == faq_task.fingerprint()


def test_shares_of_parts_that_are_not_given(tmp_path):
    write(tmp_path / "a.csv", faq(400))
    text = '[tasks.faq]\nkind = "retrieval"\ntrain = "a.csv"\ncolumns = {question = "anchor", answer = "positive"}\n'
    task = load_tasks(toml(tmp_path, text))["faq"]
    whole = read_split(tmp_path / "a.csv", "retrieval", {"question": "anchor", "answer": "positive"})
    rest, test = keep_apart(whole, "retrieval", 0.25, "test")
    train, dev = keep_apart(rest, "retrieval", 0.15, "dev")
    assert [part["anchor"][:] for part in task.splits.values()] == [part["anchor"][:] for part in (train, dev, test)]
    larger = load_tasks(toml(tmp_path, text + "test_share = 0.5\ndev_share = 0.4\n"))["faq"]
    assert len(larger.test) > 1.5 * len(test)
    assert len(larger.splits["dev"]) > 1.2 * len(dev)


GOOD = 'kind = "retrieval"\ntrain = "a.csv"\ncolumns = {question = "anchor", answer = "positive"}\n'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[tasks.faq\n", r"must be valid TOML\. '.*tasks\.toml': "),
        ("", "must hold tables `.tasks.<name>.` and nothing else. Found no such table"),
        ("[task.faq]\nkind = 'sts'\n", "and nothing else. Found 'task' in"),
        ("tasks = 3\n", "Found no such table"),
        ("[tasks]\nfaq = 3\n", "must be a table.*Found 3 for task 'faq'"),
        (
            f"[tasks.faq]\n{GOOD}colums = 3\n",
            "among the keys of a task table .task 'faq' of.*Found 'colums'.*mean 'columns'",
        ),
        (
            '[tasks.faq]\nkind = "retreival"\ntrain = "a.csv"\n',
            "kinds of task .task 'faq'.*Found 'retreival'.*'retrieval'",
        ),
        ('[tasks.faq]\ntrain = "a.csv"\n', "must have 'kind'. Found 'train' in task 'faq'"),
        ('[tasks.faq]\nkind = "retrieval"\n', "must have 'train'"),
        (f"[tasks.faq]\n{GOOD}limit = true\n", "`limit` must be of type int. Found True in task 'faq'"),
        (f"[tasks.faq]\n{GOOD}limit = 0\n", "splits of task 'faq'.*`limit` must be at least 1. Found 0"),
        (f"[tasks.faq]\n{GOOD}dev_share = 1.5\n", "splits of task 'faq'.*between 0 and 1. Found 1.5"),
        (f"[tasks.faq]\n{GOOD}prompts = {{anchor = 3}}\n", "`prompts` must map names to strings"),
        (f"[tasks.faq]\n{GOOD}prompts = {{query = 'q'}}\n", "keys of `prompts`.*Found 'query' in task 'faq'"),
        (f"[tasks.faq]\n{GOOD}revision = 'main'\n", "belong to `hub`.*Found 'revision'"),
        (f"[tasks.faq]\n{GOOD}test = 'a.csv'\ntest_share = 0.5\n", "Found 'test_share'"),
        (
            '[tasks.faq]\nkind = "retrieval"\ntrain = "gone.csv"\n',
            r"be there\. Found no '.*gone\.csv'.*In task 'faq'",
        ),
        ('[tasks.faq]\nkind = "retrieval"\ntrain = "a.xlsx"\n', r"must end in \.csv, .*Found '.*a\.xlsx'"),
        ('[tasks.faq]\nkind = "retrieval"\ntrain = "a"\n', r"must end in \.csv"),
        ('[tasks.faq]\nkind = "retrieval"\ntrain = "a.parquet.gz"\n', r"must end in \.csv"),
        (
            '[tasks.faq]\nkind = "retrieval"\ntrain = "a.csv"\n',
            "Found 'question', 'answer', 'source' in.*without 'anchor', 'p",
        ),
        (
            '[tasks.faq]\nkind = "retrieval"\ntrain = "a.csv"\ncolumns = {questoin = "anchor"}\n',
            "among the columns of.*Found 'questoin'.*Did you mean 'question'",
        ),
        (
            '[tasks.faq]\nkind = "retrieval"\ntrain = "a.csv"\ncolumns = {question = "query"}\n',
            "knows the columns 'anchor', 'positive' and 'negative...'.*Found 'query' as the new name of 'question'",
        ),
        (
            '[tasks.faq]\nkind = "retrieval"\ntrain = "a.csv"\ncolumns = {question = "anchor", answer = "anchor"}\n',
            "one source. Found 'anchor' twice",
        ),
        ("[tasks.faq]\nbundled = true\n", "under its own name.*task 'faq'.*bundled are 'headline', 'topic'"),
        ("[tasks.chat]\nbundled = false\n", "is written `bundled = true`"),
        ("[tasks.chat]\nbundled = true\nlimit = 3\n", "without other keys"),
    ],
)
def test_wrong_task_files(tmp_path, text, message):
    write(tmp_path / "a.csv", faq(200))
    with pytest.raises(SpkitError, match=f"(?s){message}"):
        load_tasks(toml(tmp_path, text))


def test_missing_task_file(tmp_path):
    with pytest.raises(SpkitError, match=r"must be readable\. Could not read '.*none\.toml'"):
        load_tasks(tmp_path / "none.toml")


def test_unknown_name_in_a_task_file(tmp_path):
    write(tmp_path / "a.csv", faq(200))
    with pytest.raises(
        SpkitError, match=r"among the tasks of '.*tasks\.toml': 'faq'\. Found 'fap'\. Did you mean 'faq'"
    ):
        load_tasks(toml(tmp_path, f"[tasks.faq]\n{GOOD}"), ["fap"])


# --- broken data files


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", b"", "first line must hold the column names, each once. Found none"),
        ("a.csv", b"anchor,anchor\nq,a\n", "each once. Found 'anchor', 'anchor'"),
        ("a.csv", b"anchor,positive\nq,a\nq2\n", r"2 values \('anchor', 'positive'\)\. Found 1 in line 3 of"),
        ("a.csv", b"anchor,positive\nq,a,b\n", "Found 3 in line 2"),
        ("a.csv", b'anchor,positive\nq,"a\nq,b\n', "Could not read line 3 of"),
        ("a.csv", b"anchor,positive\nq,\xff\n", "Could not read .*utf-8"),
        ("a.csv.gz", b"anchor,positive\nq,a\n", "Could not read .*[Nn]ot a gzipped file"),
        ("a.parquet", b"anchor,positive\nq,a\n", "Could not read .*a.parquet"),
        ("a.jsonl", b'{"anchor": "q"\n', "Each line must be JSON. Line 1 of"),
        (
            "a.jsonl",
            b'{"anchor": "q", "positive": "a"}\n\n["q", "a"]\n',
            r"JSON object, .*\. Found \['q', 'a'\] in line 3 of",
        ),
        ("a.jsonl", b"", "Found none in"),
        (
            "a.jsonl",
            b'{"anchor": "q", "positive": "a"}\n{"anchor": 3, "positive": "a"}\n',
            "non-empty strings. Found 3 in line 2, column 'anchor' of",
        ),
    ],
)
def test_broken_files(tmp_path, name, content, message):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(SpkitError, match=f"(?s){message}"):
        read_split(path, "retrieval")


def test_a_truncated_gzip_file(tmp_path):
    path = write(tmp_path / "a.jsonl.gz", faq(500))
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(SpkitError, match="Could not read"):
        read_split(path, "retrieval")


def test_a_score_that_is_no_number(tmp_path):
    rows = [{"sentence1": "a", "sentence2": "b", "score": score} for score in ("1", "", "2")]
    with pytest.raises(SpkitError, match=r"Found '' in line 3, column 'score' of '.*a.csv'"):
        read_split(write(tmp_path / "a.csv", rows), "sts")


def test_a_row_without_a_value_is_named(tmp_path):
    rows = [{"anchor": f"q{n}", "positive": f"a{n}"} for n in range(100)]
    del rows[7]["positive"]
    write(tmp_path / "a.jsonl", rows)
    write(tmp_path / "b.csv", [{"anchor": "q", "positive": ""}])
    text = '[tasks.faq]\nkind = "retrieval"\ntrain = "a.jsonl"\ndev = "a.jsonl"\ntest = "b.csv"\n'
    with pytest.raises(SpkitError, match=r"Found None in line 8, column 'positive' of '.*a\.jsonl'\..*task 'faq'"):
        load_tasks(toml(tmp_path, text))


def test_unknown_kind_of_a_file(tmp_path):
    with pytest.raises(SpkitError, match=r"`kind` must be one of 'retrieval', .*Found 'x'"):
        read_split(tmp_path / "a.csv", "x")


# --- hub

HUB = """
[tasks.faq]
kind = "retrieval"
hub = "owner/name"
config = "small"
revision = "0123abc"
train = "train"
test = "validation"
columns = {question = "anchor", answer = "positive"}
"""


def test_hub(tmp_path, monkeypatch):
    calls = []

    def load_dataset(name, config, *, split, revision):
        calls.append((name, config, split, revision))
        return Dataset.from_list(faq(100, 0 if split == "train" else 1000))

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    task = load_tasks(toml(tmp_path, HUB))["faq"]
    assert calls == [("owner/name", "small", split, "0123abc") for split in ("train", "validation")]
    assert task.test.column_names == ["anchor", "positive"]
    assert len(task.test) == len(task.train) + len(task.splits["dev"]) == 100


def test_hub_that_cannot_be_reached(tmp_path, monkeypatch):
    def load_dataset(*args, **kwargs):
        raise ConnectionError("no route to host")

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    with pytest.raises(SpkitError) as error:
        load_tasks(toml(tmp_path, HUB))
    assert str(error.value) == (
        "A hub data set must be readable by `datasets.load_dataset`. Could not read split 'train' of 'owner/name', "
        "config 'small', revision '0123abc': ConnectionError: no route to host. Check the names and the network, or "
        "save the data as JSONL and give its path."
    )
    assert isinstance(error.value.__cause__, ConnectionError)


def test_hub_that_gives_no_table(tmp_path, monkeypatch):
    monkeypatch.setattr(datasets, "load_dataset", lambda *args, **kwargs: {"train": 1})
    with pytest.raises(SpkitError, match=r"one table per split. Found dict for split 'train' of 'owner/name'"):
        load_tasks(toml(tmp_path, HUB))


def test_hub_with_other_columns(tmp_path, monkeypatch):
    monkeypatch.setattr(datasets, "load_dataset", lambda *args, **kwargs: Dataset.from_dict({"question": ["q"]}))
    with pytest.raises(SpkitError, match=r"among the columns of split 'train' of 'owner/name'.*Found 'answer'"):
        load_tasks(toml(tmp_path, HUB))
