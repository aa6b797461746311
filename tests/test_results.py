"""Tables of a study: the one schema by which they are written, read and drawn, and what opens them."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from spkit.errors import SpkitError
from spkit.results import summary_table
from spkit.results.opened import ResultFiles
from spkit.results.schema import COSTS, SCORES, SUMMARY, SWEEPS, TABLES, Table, read_results, table_of

ROOT = Path(__file__).parent.parent
SCORE = {"method": "ties", "task": "faq", "metric": "accuracy", "seed": 0, "score": 1 / 3, "low": 0.1, "high": 0.6}


@pytest.mark.parametrize("study", ["demo", "tour", "kinds"])
def test_the_published_tables_have_the_columns_of_the_schema_and_one_row_for_each_key(study):
    folder = ROOT / "data" / "results" / study
    files = [path.name for path in folder.glob("*.csv")]
    assert set(files) & set(TABLES)
    for name, table in read_results(folder, [file for file in files if file in TABLES]).items():
        assert len(table), name
        for column in TABLES[name].numbers:
            assert table[column].dtype.kind in "fiub", (name, column)


def test_what_is_written_is_read_again_to_eight_digits(tmp_path):
    table = pd.DataFrame([SCORE, {**SCORE, "seed": 1, "low": np.nan}])
    SCORES.write(table, tmp_path)
    again = SCORES.read(tmp_path)
    pd.testing.assert_frame_equal(again[list(table.columns)], table, rtol=1e-7, check_dtype=False)
    assert ",0.33333333,0.1,0.6," in (tmp_path / "scores.csv").read_text(encoding="utf-8").splitlines()[1]
    assert [path.name for path in tmp_path.iterdir()] == ["scores.csv"]  # no temporary file stays


def test_the_seed_is_the_last_column_of_a_table():
    assert SCORES.columns == (
        "method", "task", "metric", "score", "low", "high", "forgetting", "role", "group", "seed"
    )  # fmt: skip
    assert COSTS.columns == ("stage", "seconds", "examples", "texts", "tokens", "flops", "seed")
    assert "seed" in SWEEPS.words


def test_a_table_that_says_nothing_of_roles_is_of_tasks_that_were_trained_on(tmp_path):
    rows = [{**SCORE, "task": task} for task in ("faq", "mean", "unseen mean")]
    checked = SCORES.checked(pd.DataFrame(rows))
    assert checked["role"].tolist() == ["trained", "trained", "unseen"]
    assert checked["group"].tolist() == ["faq", "", ""]
    assert checked["forgetting"].isna().all()
    placed = pd.DataFrame(rows).assign(role="unseen", group="", forgetting=-1.0)
    SCORES.write(placed, tmp_path)
    again = SCORES.read(tmp_path)  # an empty text is one again, also where no row has any other
    assert again["group"].tolist() == [""] * 3
    assert again["role"].tolist() == ["unseen"] * 3
    assert again["forgetting"].tolist() == [-1.0] * 3


def test_the_summary_has_the_unseen_tasks_last_and_what_was_forgotten():
    values = {"faq": 60.0, "mean": 60.0, "news": 50.0, "unseen mean": 50.0}
    rows = [
        {**SCORE, "method": method, "task": task, "score": value + more, "metric": "mean", "forgetting": more}
        for method, more in (("ties", 2.0), ("base", 0.0))
        for task, value in values.items()
    ]
    scores = pd.DataFrame(rows)
    table = summary_table(scores)
    assert table.columns.tolist() == [*values, "forgetting"]
    assert table["forgetting"].to_dict() == {"base": "", "TIES": "+2.0"}
    own = {"method": "ties", "against": "base", "task": "unseen mean", "difference": 2.0, "low": -0.5, "high": 4.0}
    assert summary_table(scores, pd.DataFrame([own])).loc["TIES", "forgetting"] == "+2.0 [-0.5, +4.0]"
    assert "forgetting" not in summary_table(scores[scores["task"].isin(["faq", "mean"])])


def test_a_users_table_needs_neither_seed_nor_bounds_but_all_else(tmp_path):
    own = pd.DataFrame([SCORE]).drop(columns=["seed", "low", "high"])
    checked = SCORES.checked(own)
    assert checked["seed"].tolist() == [0]
    assert checked[["low", "high"]].isna().all(axis=None)
    assert "seed" not in own  # the user's table stays as it is
    with pytest.raises(SpkitError, match="Missing: 'metric', 'score'"):
        SCORES.checked(own.drop(columns=["metric", "score"]))
    with pytest.raises(SpkitError, match="Missing: 'high'"):  # one bound alone is a mistake
        SCORES.checked(pd.DataFrame([SCORE]).drop(columns="high"))
    with pytest.raises(SpkitError, match=r"one row for each method, task, metric, seed. Found 1 more; the first has"):
        SCORES.checked(pd.concat([own, own]))
    with pytest.raises(SpkitError, match="must have the columns"):
        SCORES.write(own.drop(columns="metric"), tmp_path)
    assert not (tmp_path / "scores.csv").exists()


def test_a_file_that_is_none_of_ours_is_read_as_it_is(tmp_path):
    pd.DataFrame({"x": ["a", "b"]}).to_csv(tmp_path / "mine.csv", index=False)
    assert table_of("mine.csv") == Table("mine.csv")
    assert read_results(tmp_path, ["mine.csv"])["mine.csv"]["x"].tolist() == ["a", "b"]


def test_a_table_comes_from_the_first_folder_that_has_it(tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    for folder, score in ((first, 1.0), (second, 2.0)):
        folder.mkdir()
        SCORES.write(pd.DataFrame([{**SCORE, "score": score}]), folder)
    COSTS.write(pd.DataFrame([dict.fromkeys(COSTS.columns, 0)]), second)
    (second / SUMMARY).write_text("# Title\n\n- One.\n- **Verdict.** Two.\n", encoding="utf-8")
    files = ResultFiles(first, second, tmp_path / "nowhere")
    assert files.tables() == ["costs", "scores"]
    assert files["scores"]["score"].tolist() == [1.0]
    assert files.folder_of("scores.csv", "costs.csv") == second
    assert files.words() == "- One.\n- **Verdict.** Two."
    with pytest.raises(SpkitError, match=r"must come from a study that was run. Found no 'norms.csv'"):
        _ = files["norms"]
    with pytest.raises(SpkitError, match="Results must be in a folder"):
        ResultFiles(tmp_path / "nowhere")
