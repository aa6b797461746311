"""How commands say what they have to say: tables, what was written, what is next, and the result last."""

import io
import json

import numpy as np
import pandas as pd
import pytest

from spkit.cli.answer import Answer, _aligned

TABLE = pd.DataFrame(
    {
        "task": ["faq", "a longer name"],
        "score": [np.float64(1.23456), np.nan],
        "n": np.array([3, 12345]),
        "tiny": [0.00012345, 0.000001],
        "verdict": ["a is better", "no difference shown"],
    }
)


def said(capsys, as_json: bool) -> str:
    answer = Answer(as_json)
    answer.say("a remark")
    answer.table("scores", TABLE, "Scores", digits=2)
    answer.wrote("Table", "out/table.csv")
    answer.end("The end.", "spkit next")
    return capsys.readouterr().out


def test_the_result_comes_last_after_tables_and_files(capsys) -> None:
    assert said(capsys, as_json=False).splitlines() == [
        "a remark",
        "Scores",
        "task           score      n     tiny  verdict",
        "faq             1.23      3  0.00012  a is better",
        "a longer name      -  12345  0.00000  no difference shown",
        "",
        "Table: out/table.csv",
        "Next: spkit next",
        "The end.",
    ]


def test_json_is_one_object_with_all_digits(capsys) -> None:
    content = json.loads(said(capsys, as_json=True))
    assert content["tables"]["scores"][0] == {
        "task": "faq", "score": 1.23456, "n": 3, "tiny": 0.00012345, "verdict": "a is better",
    }  # fmt: skip
    assert content["tables"]["scores"][1]["score"] is None
    assert content | {"tables": {}} == {
        "tables": {}, "written": {"Table": "out/table.csv"}, "next": ["spkit next"], "result": "The end.",
    }  # fmt: skip


def test_an_index_is_a_column_and_rows_may_hold_lists(capsys) -> None:
    answer = Answer(as_json=True)
    answer.table("norms", pd.Series([1.0], index=["faq"], name="norm").rename_axis("task").to_frame(), index=True)
    answer.rows("methods", [{"name": "ties", "parameters": ("density", 1)}])
    answer.end()
    tables = json.loads(capsys.readouterr().out)["tables"]
    assert tables == {
        "norms": [{"task": "faq", "norm": 1.0}],
        "methods": [{"name": "ties", "parameters": ["density", 1]}],
    }


@pytest.mark.parametrize("terminal", [True, False])
def test_a_table_is_coloured_where_its_reader_is_a_terminal(terminal, monkeypatch) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    screen = io.StringIO()
    screen.isatty = lambda: terminal
    monkeypatch.setattr("sys.stdout", screen)
    lines = _aligned(TABLE, 2).splitlines()
    assert ("\x1b[32m" in lines[1]) == terminal  # a is better: green
    assert ("\x1b" in "".join(lines)) == terminal
