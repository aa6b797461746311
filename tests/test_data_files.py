"""Data files as people have them: quotes, separators, JSON in every form, lists of texts, folders, broken cells."""

import csv
import json
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from datasets import Dataset, DatasetDict
from hypothesis import given, settings
from hypothesis import strategies as st

from spkit.errors import SpkitError
from spkit.evaluation import evaluate
from spkit.tasks import Task, load_tasks
from spkit.tasks.kinds import kinds
from spkit.tasks.reading import read_split
from tests.tiny import tiny_encoder

ROWS = [{"anchor": f"question {n}", "positive": f"answer {n}"} for n in range(60)]
NAMES = ("anchor", "positive")


def pairs(path: Path) -> list[tuple[str, ...]]:
    return [tuple(row[name] for name in NAMES) for row in read_split(path, "retrieval").to_list()]


def lines(path: Path, rows: list) -> Path:
    path.write_text("\n".join(json.dumps(row) for row in rows) + "\n")
    return path


def task_file(folder: Path, text: str) -> Task:
    (folder / "tasks.toml").write_text(f"[tasks.faq]\n{text}")
    return load_tasks(folder / "tasks.toml")["faq"]


# --- separators and quotes


@pytest.mark.parametrize(
    "rows",
    [
        [("what is a lien", "a claim"), ('"the raven" author', "poe"), ('who said "i think"', "descartes")],
        [("lien", "claim"), ('"open', "first"), ("second", "second"), ('"', "x"), ("fourth", "fourth")],
        [('a 5" screen', "b"), ("c", '6" nail')],
        [('"to be or not to be"', "hamlet"), ("c", "d")],
        [('"open question', "first"), ("second", 'an answer"'), ("third", "x")],
        [('"lost', "one"), ("two", "three"), ('four"', "five"), ("six", "seven")],
        [('"" twice ""', "one"), ("two", "three")],
    ],
)
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_tabs_without_quoting(tmp_path, rows, end):
    path = tmp_path / "a.tsv"
    path.write_bytes(end.join("\t".join(row) for row in [NAMES, *rows, ()]).encode())
    assert pairs(path) == rows


@settings(max_examples=30, deadline=None)
@given(
    rows=st.lists(st.tuples(*[st.text("ab\"', \u00e9", min_size=1).filter(str.strip)] * 2), min_size=1, max_size=5),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    ending=st.sampled_from([".csv", ".tsv"]),
)
def test_what_a_writer_quoted_comes_back(tmp_path_factory, rows, quoting, ending):
    path = tmp_path_factory.mktemp("quoted") / f"a{ending}"
    with path.open("w", newline="", encoding="utf-8") as handle:
        csv.writer(handle, delimiter="," if ending == ".csv" else "\t", quoting=quoting).writerows([NAMES, *rows])
    assert pairs(path) == rows


@pytest.mark.parametrize("ending", [".csv", ".tsv"])
def test_long_fields(tmp_path, ending):
    before = csv.field_size_limit()
    separator = "," if ending == ".csv" else "\t"
    (tmp_path / f"a{ending}").write_text(f"anchor{separator}positive\nq{separator}{'word ' * 40_000}\n")
    assert len(pairs(tmp_path / f"a{ending}")[0][1]) == 200_000
    assert csv.field_size_limit() == before


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.csv", "anchor;positive\nq;a\n", r"separated by commas\. Found semicolons \(';'\) in line 1 of '.*a\.csv'"),
        ("a.csv", "anchor\tpositive\nq\ta\n", r"Found tabs .*Give it the ending \.tsv"),
        ("a.tsv", "anchor,positive\nq,a\n", r"separated by tabs\. Found commas .*Give it the ending \.csv"),
        ("a.tsv", "anchor\tpositive\nq\ta\nq\ta\tb\n", "2 values .* Found 3 in line 3"),
        ("a.csv", 'anchor,positive\n"two\nlines",a\nq,\n', "Found '' in line 4, column 'positive' of"),
    ],
)
def test_wrong_tables_name_the_line(tmp_path, name, text, message):
    (tmp_path / name).write_text(text)
    with pytest.raises(SpkitError, match=message):
        read_split(tmp_path / name, "retrieval")


@pytest.mark.parametrize("encoding", ["utf-16", "cp1252"])
def test_other_encodings(tmp_path, encoding):
    (tmp_path / "a.csv").write_bytes("anchor,positive\nfaçade,x\n".encode(encoding))
    with pytest.raises(SpkitError, match=r"must be UTF-8\. Could not read line \d of"):
        read_split(tmp_path / "a.csv", "retrieval")


# --- JSON


@pytest.mark.parametrize("name", ["a.json", "a.jsonl"])
@pytest.mark.parametrize("indent", [None, 1])
def test_an_array_of_objects(tmp_path, name, indent):
    (tmp_path / name).write_text(json.dumps(ROWS, indent=indent))
    assert read_split(tmp_path / name, "retrieval").to_list() == ROWS
    lines(tmp_path / name, ROWS)
    assert read_split(tmp_path / name, "retrieval").to_list() == ROWS


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"anchor": "a \\ud83d b", "positive": "x"}', r"valid Unicode.*'\\ud83d', in line 1, column 'anchor' of"),
        ('{"anchor": "a", "positive": "b"}\n{"anchor": NaN, "positive": "x"}', "Found nan in line 2, column 'anchor'"),
        ('{"anchor": "a", "positive": "b"}\n{"anchor": {"a": 1}, "positive": "x"}', "Found {'a': 1} in line 2"),
        ('[{"anchor": "a", "positive": "b"}, {"anchor": 3, "positive": "x"}]', "Found 3 in row 2, column 'anchor' of"),
        ('[{"anchor": "a", "positive": "b"}]\n{"anchor": "c", "positive": "d"}', "Found more in line 2"),
        ("[" * 100_000, "must be one JSON array"),
        ('{"a": ' * 100_000, "Each line must be JSON"),
    ],
)
def test_broken_json_names_the_line(tmp_path, text, message):
    (tmp_path / "a.jsonl").write_text(text)
    with pytest.raises(SpkitError, match=message):
        read_split(tmp_path / "a.jsonl", "retrieval")


def test_errors_are_one_short_line(tmp_path):
    long, many = "word " * 100_000, [f"column {n} {'x' * 300}" for n in range(2000)]
    files = {
        "array.jsonl": json.dumps([[row] for row in ROWS * 1000]),
        "list.jsonl": json.dumps({"anchor": [long, 3], "positive": "a"}),
        "cell.jsonl": json.dumps({"anchor": [long] * 9, "positive": long}),
        "names.csv": ",".join(many) + "\n",
        "names.jsonl": json.dumps(dict.fromkeys(many, "a")),
        "label.jsonl": json.dumps({"text": "a", "label": [long] * 100}),
        "broken.jsonl": '{"anchor": "' + long,
        "lines.csv": f'anchor,positive\n"{long}\n{long},a\n',
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text)
        with pytest.raises(SpkitError) as error:
            read_split(tmp_path / name, "classification" if name == "label.jsonl" else "retrieval")
        assert "\n" not in str(error.value)
        assert name in str(error.value)
        assert len(str(error.value)) < (1600 if name.startswith("names") else 600), name


# --- which files


def test_lists_patterns_and_the_home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    for part in range(3):
        pd.DataFrame(ROWS[20 * part : 20 * part + 20]).to_csv(tmp_path / f"part-{part}.csv", index=False)
    for named in ('"part-*.csv"', '["part-0.csv", "part-1.csv", "part-2.csv"]', '"~/part-*.csv"'):
        task = task_file(tmp_path, f'kind = "retrieval"\ntrain = {named}\ntest = "part-0.csv"\nunique = true\n')
        assert len(task.train) + len(task.splits["dev"]) == 40
    assert read_split("~/part-1.csv", "retrieval").to_list() == ROWS[20:40]
    with pytest.raises(SpkitError, match=r"must match files\. Found none for '.*none-\*\.csv'.*task 'faq'"):
        task_file(tmp_path, 'kind = "retrieval"\ntrain = "none-*.csv"\n')
    lines(tmp_path / "more.jsonl", ROWS)
    with pytest.raises(SpkitError, match=r"all be text.*or all typed"):
        read_split([tmp_path / "part-0.csv", tmp_path / "more.jsonl"], "retrieval")
    (tmp_path / "part-1.csv").write_text("anchor,positive\nq,\n")
    with pytest.raises(SpkitError, match=r"Found '' in line 2, column 'positive' of '.*part-1\.csv'"):
        read_split(tmp_path / "part-*.csv", "retrieval")


def test_saved_data_sets(tmp_path):
    rows = Dataset.from_list(ROWS)
    rows.save_to_disk(tmp_path / "one")
    DatasetDict({"train": rows, "test": rows.select(range(5))}).save_to_disk(tmp_path / "both")
    assert read_split(tmp_path / "one", "retrieval").to_list() == ROWS
    for key in ('train = "both"\ntest = "both"\n', 'hub = "./both"\ntrain = "train"\ntest = "test"\n'):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the same texts in both
            task = task_file(tmp_path, f'kind = "retrieval"\n{key}')
        assert len(task.test) == 5
        assert len(task.train) + len(task.splits["dev"]) == 60
    with pytest.raises(SpkitError, match=r"Found 'train', 'test' in '.*both', not 'dev'"):
        read_split(tmp_path / "both", "retrieval", split="dev")
    (tmp_path / "empty").mkdir()
    with pytest.raises(SpkitError, match=r"A folder must hold"):
        read_split(tmp_path / "empty", "retrieval")


# --- lists of texts, as FlagEmbedding has them


def by_hand(model, queries: dict[str, dict[str, int]], documents: list[str]) -> float:
    """nDCG@10 in points, from its definition."""
    query, document = (model.encode(list(texts), normalize_embeddings=True) for texts in (queries, documents))
    total = []
    for row, relevant in zip(query @ document.T, queries.values(), strict=True):
        gains = [relevant.get(documents[place], 0) for place in np.argsort(-row, kind="stable")[:10]]
        best = sorted(relevant.values(), reverse=True)[:10]
        total.append(np.dot(gains, 1 / np.log2(np.arange(2, 2 + len(gains)))))
        total[-1] /= np.dot(best, 1 / np.log2(np.arange(2, 2 + len(best))))
    return 100 * float(np.mean(total))


def flag_rows(count: int, first: int = 0) -> list[dict]:
    return [
        {
            "query": f"where is {n}",
            "pos": [f"{n} is here", f"see {n}", f"{n}!"][: 1 + n % 3],
            "neg": [f"not {n}", f"no {n} {n}"][: 1 + n % 2],
            "prompt": "query: ",
        }
        for n in range(first, first + count)
    ]


def test_flagembedding_files(tmp_path):
    train, test = flag_rows(40), flag_rows(20, 100)
    lines(tmp_path / "train.jsonl", train)
    lines(tmp_path / "test.jsonl", test)
    task = task_file(tmp_path, 'kind = "retrieval"\ntrain = "train.jsonl"\ntest = "test.jsonl"\n')
    assert task.prompts == {"anchor": "query: "}
    assert task.text_columns == ["anchor", "positive", "negative"]
    for row in test:
        mine = [one for one in task.test.to_list() if one["anchor"] == row["query"]]
        assert len(mine) == max(len(row["pos"]), len(row["neg"]))
        assert {one["positive"] for one in mine} == set(row["pos"])
        assert {one["negative"] for one in mine} == set(row["neg"])
    model = tiny_encoder(0)
    queries = {f"query: {row['query']}": dict.fromkeys(row["pos"], 1) for row in test}
    documents = [text for key in ("pos", "neg") for row in test for text in row[key]]
    table = evaluate(model, task, resamples=10)
    assert table.loc[0, "score"] == pytest.approx(by_hand(model, queries, documents), abs=1e-4)
    assert table.loc[0, "n"] == 20


def test_a_saved_data_set_of_flagembedding_has_its_prompt(tmp_path):
    rows = [{**row, "id": n} for n, row in enumerate(flag_rows(40))]
    DatasetDict({"train": Dataset.from_list(rows)}).save_to_disk(tmp_path / "both")
    task = task_file(tmp_path, 'kind = "retrieval"\nhub = "./both"\ntrain = "train"\n')
    assert task.prompts == {"anchor": "query: "}
    lines(tmp_path / "a.jsonl", rows)
    assert task.fingerprint() == task_file(tmp_path, 'kind = "retrieval"\ntrain = "a.jsonl"\n').fingerprint()


def test_prompts_that_differ_are_refused(tmp_path):
    lines(tmp_path / "a.jsonl", [{**row, "prompt": f"{n % 2}: "} for n, row in enumerate(flag_rows(40))])
    text = 'kind = "retrieval"\ntrain = "a.jsonl"\n'
    with pytest.raises(SpkitError, match=r"have one prompt\. Found 2 in the column 'prompt' .*'0: ', '1: '"):
        task_file(tmp_path, text)
    assert task_file(tmp_path, f"{text}prompts = {{anchor = 'mine: '}}\n").prompts == {"anchor": "mine: "}


def test_negatives_are_searched(tmp_path):
    model, rows = tiny_encoder(0), [{**row, "negative": f"question number {n}"} for n, row in enumerate(ROWS)]
    task = Task(name="faq", kind="retrieval", train=Dataset.from_list(rows[:20]), test=Dataset.from_list(rows[20:]))
    queries = {row["anchor"]: {row["positive"]: 1} for row in rows[20:]}
    documents = [row[key] for key in ("positive", "negative") for row in rows[20:]]
    score = evaluate(model, task, resamples=10).loc[0, "score"]
    assert score == pytest.approx(by_hand(model, queries, documents), abs=1e-4)
    assert score < evaluate(model, without(task, "negative"), resamples=10).loc[0, "score"] - 1


def without(task: Task, column: str) -> Task:
    splits = {split: rows.remove_columns(column) for split, rows in task.splits.items()}
    return Task(name=task.name, kind=task.kind, **splits)


# --- labels and scores


@pytest.mark.parametrize(
    ("kind", "labels", "expected"),
    [
        ("pair", ["0.0", "1.0"], [0, 1]),
        ("pair", ["True", "False"], [1, 0]),
        ("pair", ["1 ", " 0"], [1, 0]),
        ("classification", ["0.0", "1.0"], ["0.0", "1.0"]),
    ],
)
def test_labels_in_text(tmp_path, kind, labels, expected):
    columns = {"pair": "sentence1,sentence2,label", "classification": "text,label"}[kind]
    body = [f"a {n},{'b,' * (kind == 'pair')}{label}" for n, label in enumerate(labels)]
    (tmp_path / "a.csv").write_text("\n".join([columns, *body]))
    assert read_split(tmp_path / "a.csv", kind)["label"][:] == expected


@pytest.mark.parametrize("labels", [[True, False] * 30, [1.0, 0.0] * 30, np.array([1, 0] * 30, dtype="int8")])
@pytest.mark.parametrize("kind", ["pair", "classification"])
def test_labels_of_other_types(tmp_path, kind, labels):
    texts = {name: [f"{name} {n}" for n in range(60)] for name in kinds()[kind].texts}
    pd.DataFrame({**texts, "label": labels}).to_parquet(tmp_path / "a.parquet")
    assert read_split(tmp_path / "a.parquet", kind)["label"][:] == [1, 0] * 30
    dataset = Dataset.from_dict({**texts, "label": list(labels)})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the same texts in both
        task = Task(name="t", kind=kind, train=dataset, test=dataset)
    assert task.test["label"][:] == [1, 0] * 30
    assert task.test.column_names == dataset.column_names


@pytest.mark.parametrize(
    ("kind", "rows", "message"),
    [
        ("classification", [("a", 1), ("b", "x")], "all be strings. Found 'x' in line 2, column 'label' of"),
        ("classification", [("a", "x"), ("b", None)], "Found None in line 2, column 'label' of"),
        ("classification", [("a", 0.5), ("b", 1.0)], "whole numbers or strings. Found 0.5 in line 1"),
        ("sts", [("a", 1), ("b", True)], "Found True in line 2, column 'score'"),
        ("sts", [("a", 1), ("b", float("nan"))], "Found nan in line 2, column 'score'"),
    ],
)
def test_wrong_values_name_the_line(tmp_path, kind, rows, message):
    names = kinds()[kind].columns
    lines(
        tmp_path / "a.jsonl",
        [dict(zip(names, (text, *[text] * (len(names) - 2), value), strict=True)) for text, value in rows],
    )
    with pytest.raises(SpkitError, match=message):
        read_split(tmp_path / "a.jsonl", kind)


@pytest.mark.parametrize(
    ("kind", "rows", "message"),
    [
        ("classification", [{"text": "a", "label": 1}, {"text": "b", "label": 2**64}],
         r"fit into 64 bits\. Found 18446744073709551616 in line 2, column 'label' of '.*a\.jsonl'\. Write it"),
        ("sts", [{"sentence1": "a", "sentence2": "b", "score": -(10**30)}], "in line 1, column 'score' of"),
        ("retrieval", [{"query": "a", "pos": ["b"], "prompt": "q: "}, {"query": "c", "pos": ["d"], "prompt": 3}],
         r"values of one type\. Found int in line 2, column 'prompt' of '.*a\.jsonl', after str: "),
    ],
)  # fmt: skip
def test_cells_that_no_column_can_hold_name_the_line(tmp_path, kind, rows, message):
    lines(tmp_path / "a.jsonl", rows)
    with pytest.raises(SpkitError, match=message):
        read_split(tmp_path / "a.jsonl", kind)


def test_labels_of_a_table_that_are_long_numbers_name_the_line(tmp_path):
    (tmp_path / "a.csv").write_text("text,label\na,7\nb,98765432109876543210\n")
    with pytest.raises(SpkitError, match=r"fit into 64 bits\. Found 98765432109876543210 in line 3, column 'label'"):
        read_split(tmp_path / "a.csv", "classification")


def test_a_collection_is_no_split(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "corpus.jsonl").write_text("{}")
    with pytest.raises(SpkitError, match=r"task of its own.* Pass `spkit\.load_tasks\('.*mine'\)`.*`beir = 'mine'`"):
        read_split(tmp_path / "mine", "retrieval")


def test_numbers_with_underscores_are_none(tmp_path):
    (tmp_path / "a.csv").write_text("sentence1,sentence2,score\na,b,1_0\n")
    with pytest.raises(SpkitError, match="Found '1_0' in line 2, column 'score'"):
        read_split(tmp_path / "a.csv", "sts")


def test_an_empty_column_name_is_no_column(tmp_path):
    (tmp_path / "a.csv").write_text("anchor, positive,\nq,a,\n")
    assert read_split(tmp_path / "a.csv", "retrieval").to_list() == [{"anchor": "q", "positive": "a"}]
