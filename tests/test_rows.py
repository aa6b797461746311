"""Splits made of some rows of a file, and texts that stand once."""

import json

import pytest
from datasets import Dataset

from spkit.errors import SpkitError
from spkit.tasks import load_tasks
from spkit.tasks.rows import RowChoice, unique_texts

ROWS = [
    {"source": source, "anchor": f"{source} question {n}", "positive": f"{source} answer {n}"}
    for source in "abc"
    for n in range(6)
]
TASK = """
[tasks.faq]
kind = "retrieval"
train = {{ file = "faq.jsonl", except = {{ source = {train} }} }}
test = {{ file = "faq.jsonl", where = {{ source = {test} }} }}
{more}
"""


@pytest.fixture
def task_file(tmp_path):
    (tmp_path / "data").mkdir()
    lines = "\n".join(json.dumps(row) for row in ROWS)
    (tmp_path / "data" / "faq.jsonl").write_text(lines + "\n", encoding="utf-8")

    def write(train="['c']", test="['c']", more=""):
        path = tmp_path / "tasks.toml"
        path.write_text(TASK.format(train=train, test=test, more=more), encoding="utf-8")
        return path

    return write


def test_sources_of_one_file_are_kept_apart(task_file, tmp_path):
    task = load_tasks(task_file(), folder=tmp_path / "data")["faq"]
    assert {text[0] for text in task.test["anchor"]} == {"c"}
    assert {text[0] for split in (task.train, task.dev) for text in split["anchor"]} == {"a", "b"}
    assert len(task.test) == 6
    assert len(task.train) + len(task.dev) == 12


def test_data_files_lie_beside_the_task_file_by_default(task_file, tmp_path):
    with pytest.raises(SpkitError, match=r"faq\.jsonl"):
        load_tasks(task_file())
    (tmp_path / "data" / "faq.jsonl").rename(tmp_path / "faq.jsonl")
    assert len(load_tasks(task_file())["faq"].test) == 6


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"test": "['d']"}, r"Found 'd', which no row of column 'source'"),
        ({"test": "'c'"}, r"lists by column"),
        ({"train": "['a', 'b', 'c']"}, r"A split must have rows.*Found none of 18"),
        ({"more": "unique = 1"}, r"`unique` must be of type bool"),
    ],
)
def test_broken_choices_are_refused(task_file, tmp_path, change, message):
    with pytest.raises(SpkitError, match=message):
        load_tasks(task_file(**change), folder=tmp_path / "data")


def test_an_unknown_column_is_named():
    with pytest.raises(SpkitError, match=r"Found 'source', where x\.csv has 'text'"):
        RowChoice(where={"source": ["a"]}).of({"text": ["one"]}, "x.csv")


def test_a_text_stands_once_and_test_comes_first():
    def split(*pairs):
        return Dataset.from_list([{"anchor": a, "positive": p} for a, p in pairs])

    given = {
        "train": split(("q1", "a1"), ("q1", "a2"), ("q2", "t1"), ("q3", "a3")),
        "test": split(("s1", "t1"), ("s1", "t2")),
    }
    unique = unique_texts(given, "retrieval")
    assert unique["test"].to_list() == [{"anchor": "s1", "positive": "t1"}]
    assert unique["train"].to_list() == [{"anchor": "q1", "positive": "a1"}, {"anchor": "q3", "positive": "a3"}]


# Other values for those of a column


def pairs_file(folder, values, ending="jsonl"):
    rows = [("a", "b", "entailment"), ("a", "c", "contradiction"), ("d", "e", "entailment"), ("f", "g", "neutral")] * 9
    cells = [(f"{one} {n}", f"{other} {n}", label) for n, (one, other, label) in enumerate(rows)]
    if ending == "csv":
        lines = ["sentence1,sentence2,label", *(",".join(row) for row in cells)]
    else:
        lines = [json.dumps(dict(zip(("sentence1", "sentence2", "label"), row, strict=True))) for row in cells]
    (folder / f"pairs.{ending}").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "tasks.toml").write_text(
        f'[tasks.nli]\nkind = "sts"\ncolumns = {{label = "score"}}\nvalues = {values}\n'
        f'train = {{file = "pairs.{ending}", where = {{label = ["entailment", "contradiction"]}}}}\n',
        encoding="utf-8",
    )
    return folder / "tasks.toml"


@pytest.mark.parametrize("ending", ["jsonl", "csv"])
def test_words_are_read_as_scores(tmp_path, ending):
    given = "{label = {entailment = 1.0, contradiction = 0.0}}"
    task = load_tasks(pairs_file(tmp_path, given, ending))["nli"]
    scores = [(row["sentence1"][0], row["score"]) for part in task.splits.values() for row in part]
    assert len(scores) == 27
    assert {score for first, score in scores if first == "d"} == {1.0}
    assert sorted({score for first, score in scores if first == "a"}) == [0.0, 1.0]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ("{said = {entailment = 1}}", "columns that a file has. Found 'said'.*'label'"),
        ("{label = {entailed = 1}}", "values that their column has. Found 'entailed'"),
        ("{label = 1}", "must hold a table of values for each column. Found 1 for 'label'"),
        ("{label = {entailment = 1}}", "Scores must be finite numbers. Found .contradiction"),
    ],
)
def test_values_that_are_not_there_are_refused(tmp_path, values, message):
    with pytest.raises(SpkitError, match=f"(?s){message}"):
        load_tasks(pairs_file(tmp_path, values))
