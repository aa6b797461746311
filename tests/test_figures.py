"""Figures: rules from result files to files, the same byte for byte, that leave matplotlib as they found it."""

import json
import os
import re
import shutil
import subprocess
import sys
from itertools import combinations, product
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from spkit import plot
from spkit.drawing import Sheet, figure
from spkit.drawing.files import is_fresh
from spkit.drawing.provenance import provenance
from spkit.drawing.rule import forget
from spkit.errors import SpkitError
from spkit.figures import check_figures, draw_figures, figure_names
from spkit.figures.listing import all_rules
from spkit.folders import LIST
from spkit.results import summary_table, to_markdown
from spkit.results.labels import family, method_label, ordered_methods
from spkit.results.schema import read_results

#: Figures of every study, drawn here; those of its analyses are drawn in test_figures_analyses.py.
NAMES = [
    "methods", "differences", "conflict_outcome", "conflict", "conflict_by_module", "geometry", "trajectory",
    "coefficients",
]  # fmt: skip
ALL_NAMES = [
    "methods", "two_means", "differences", "pipelines", "conflict_outcome", "conflict", "conflict_by_module",
    "conflict_along_training", "conflict_along_training_by_module", "affinity", "pairs", "imbalance",
    "effective_weights", "norms", "angles", "geometry", "sweep_direction", "sweep_length", "sweep_mu",
    "sweep_probe_size", "trajectory", "coefficients", "trade_off", "resampling", "resampling_scores",
    "imbalance_map", "objectives",
]  # fmt: skip
MODULES = ("embeddings", "layer.0.attention", "pooler")
TASKS = ("faq", "sts", "topic")
MERGES = ("average", "task_arithmetic_tuned", "ties")
SEARCHES = ("self_position", "self_position:module")
METHODS = ("base", *(f"expert:{task}" for task in TASKS), "joint", *MERGES, *SEARCHES)
METRICS = {"faq": "ndcg_at_10", "sts": "cosine_spearman", "topic": "accuracy", "mean": "mean"}


def write_results(folder: Path, seeds: tuple[int, ...] = (0, 1, 2)) -> Path:
    """A finished study: one pair of tasks is undetermined in every seed, another in the first of several only."""
    random = np.random.default_rng(0)
    folder.mkdir(parents=True, exist_ok=True)
    scores, comparisons, conflict, by_module, geometry, history, coefficients = [], [], [], [], [], [], []
    for seed in seeds:
        for method, task in product(METHODS, (*TASKS, "mean")):
            score = random.uniform(30, 90)
            scores.append((method, task, METRICS[task], score, score - 3, score + 2, seed))
            if task == "sts":
                scores.append((method, task, "cosine_spearman:words", score - 9, score - 12, score - 6, seed))
            for against in ("joint", *(MERGES if method in SEARCHES else ())):
                if against != method:
                    difference = random.normal(MERGES.index(against) if against in MERGES else 0, 0.1)
                    comparisons.append((method, against, task, difference, difference - 1, difference + 1, seed))
        for a, b in combinations(TASKS, 2):
            unknown = (a, b) == ("sts", "topic") or ((a, b) == ("faq", "sts") and len(seeds) > 1 and seed == seeds[0])
            corrected = np.nan if unknown else random.uniform(-0.5, 0.5)
            interval = corrected - 0.1, corrected + 0.1
            conflict.append((a, b, random.uniform(-0.3, 0.3), corrected, *interval, 0.8, 0.6, 16, 32, seed))
            for module in MODULES:
                nothing = unknown or module == "pooler"
                verdict = "no gradient" if module == "pooler" else "undetermined" if unknown else "agree"
                values = [np.nan] * 3 if nothing else [corrected, *interval]
                by_module.append((module, a, b, *values, verdict, seed))
            norms = {task: 1.0 + TASKS.index(task) + 0.1 * seed for task in TASKS}
            geometry.append((a, b, random.uniform(0, 0.2), norms[a], norms[b], seed))
        for method, steps in zip(SEARCHES, (6, 12), strict=True):
            for step, task in product(range(1, steps + 1), TASKS):
                history.append((method, step, 2 / step + seed, task, 1.0, 0.1 * step, 0.5, 0.1, seed))
            for module, task in product(("model",) if method == "self_position" else ("embeddings", "layer.0"), TASKS):
                coefficients.append((method, module, task, random.uniform(0, 1), seed))
    tables = {
        "scores": ("method task metric score low high seed", scores),
        "comparisons": ("method against task difference low high seed", comparisons),
        "conflict": ("a b cosine corrected low high ceiling_a ceiling_b batches batch_size seed", conflict),
        "conflict_by_module": ("module a b corrected low high verdict seed", by_module),
        "geometry": ("a b cosine norm_a norm_b seed", geometry),
        "history": ("method step loss task task_loss coefficient gradient_norm seconds seed", history),
        "coefficients": ("method module task coefficient seed", coefficients),
    }
    made = {name: pd.DataFrame(rows, columns=columns.split()) for name, (columns, rows) in tables.items()}
    means = made["comparisons"].groupby(["method", "against", "task"], sort=False)["difference"].mean().reset_index()
    made["comparisons_mean"] = means.assign(low=means["difference"] - 0.6, high=means["difference"] + 0.5)
    for name, table in made.items():
        table.to_csv(folder / f"{name}.csv", index=False)
    return folder


@pytest.fixture(scope="module")
def results(tmp_path_factory) -> Path:
    return write_results(tmp_path_factory.mktemp("results"))


@pytest.fixture(scope="module")
def drawn(results, tmp_path_factory) -> Path:
    output = tmp_path_factory.mktemp("drawn")
    draw_figures(results, output)
    return output


def caption(output: Path, name: str) -> str:
    return json.loads((output / f"{name}.json").read_text(encoding="utf-8"))["caption"]


def headline(output: Path, name: str) -> str:
    return json.loads((output / f"{name}.json").read_text(encoding="utf-8"))["headline"]


def test_figures_are_listed_in_order():
    assert figure_names() == ALL_NAMES


def test_each_figure_is_four_files_and_there_is_nothing_else_but_their_page(drawn):
    expected = {"figures.md", LIST} | {
        f"{name}{suffix}" for name in NAMES for suffix in (".pdf", ".png", ".csv", ".json")
    }
    assert {path.name for path in drawn.iterdir()} == expected
    assert all((drawn / f"{name}.png").read_bytes().startswith(b"\x89PNG") for name in NAMES)
    for name in NAMES:
        pdf = (drawn / f"{name}.pdf").read_bytes()
        assert b"CreationDate" not in pdf
        assert b"/FontFile2" in pdf  # TrueType (font type 42)
        assert b"/Type3" not in pdf


def test_a_second_drawing_is_the_same_and_the_check_agrees(results, drawn):
    before = {path.name: path.read_bytes() for path in drawn.iterdir()}
    assert check_figures(results, drawn) == []
    draw_figures(results, drawn, only=["conflict", "methods"])
    assert {path.name: path.read_bytes() for path in drawn.iterdir()} == before


def test_a_page_shows_every_figure_with_its_caption(results, drawn, tmp_path):
    page = (drawn / "figures.md").read_text(encoding="utf-8")
    shown = re.findall(r"^## (\w+)\n\n!\[(.+)\]\((\w+)\.png\)\n\n(.+)$", page, flags=re.MULTILINE)
    assert [name for name, *_ in shown] == [name for name in figure_names() if (drawn / f"{name}.png").is_file()]
    for name, said, file, text in shown:
        assert (file, said, text) == (name, headline(drawn, name), caption(drawn, name))
    copy = shutil.copytree(drawn, tmp_path / "copy")
    (copy / "figures.md").write_text(page.replace("Scores", "Sores"), encoding="utf-8")
    assert [line.partition(":")[0] for line in check_figures(results, copy)] == ["figures.md"]


def test_a_users_settings_neither_change_a_figure_nor_are_changed(results, drawn):
    with mpl.rc_context({"font.size": 20, "axes.facecolor": "red", "savefig.dpi": 30, "image.cmap": "jet"}):
        before = dict(mpl.rcParams)
        assert check_figures(results, drawn, only=["methods", "geometry", "trajectory"]) == []
        assert dict(mpl.rcParams) == before
    assert plt.get_fignums() == []


def test_figures_have_the_width_of_a_column_or_two(drawn):
    for name in NAMES:
        assert plt.imread(drawn / f"{name}.png").shape[1] in (650, 1350)  # 3.25 and 6.75 inches at 200 dots an inch


def test_provenance_names_inputs_code_versions_and_seeds(results, drawn):
    record = json.loads((drawn / "methods.json").read_text(encoding="utf-8"))
    assert record["figure"] == "methods"
    assert record["seeds"] == [0, 1, 2]
    assert set(record["inputs"]) == {"scores.csv"}
    assert len(record["code"]) == len(record["style"]) == 64
    assert record["methods"]["expert:sts"] == "expert: sts"
    assert {"spkit", "matplotlib", "pandas"} <= set(record["versions"])
    assert "3 seeds (0, 1, 2)" in record["caption"]
    assert str(results) not in json.dumps(record)


def test_the_check_shows_what_changed(results, drawn, tmp_path):
    changed = write_results(tmp_path / "changed")
    table = pd.read_csv(changed / "geometry.csv")
    table.loc[0, "cosine"] += 0.3
    table.to_csv(changed / "geometry.csv", index=False)
    (line,) = check_figures(changed, drawn)
    assert line.startswith("geometry: ")
    for part in ("geometry.pdf differs", "geometry.png differs", "geometry.csv differs", "inputs geometry.csv"):
        assert part in line


def test_the_check_compares_all_four_files(results, drawn, tmp_path):
    for name in ("methods", "conflict"):
        for suffix in (".pdf", ".png", ".csv", ".json"):
            (tmp_path / f"{name}{suffix}").write_bytes((drawn / f"{name}{suffix}").read_bytes())
    (tmp_path / "conflict.pdf").unlink()
    (tmp_path / "methods.json").write_text("{}", encoding="utf-8")
    lines = check_figures(results, tmp_path, only=["methods", "conflict"])
    assert lines[0].startswith("methods: methods.json differs in caption")
    assert lines[1] == "conflict: conflict.pdf is missing"


def test_an_absent_input_is_named_or_refused(tmp_path, capsys):
    folder = write_results(tmp_path / "results", seeds=(0,))
    for name in ("scores", "comparisons", "history", "coefficients", "conflict"):
        (folder / f"{name}.csv").unlink()
    assert {path.stem for path in draw_figures(folder, tmp_path / "out")} == {"geometry"}
    (message,) = capsys.readouterr().err.splitlines()
    absent = ", ".join(repr(name) for name in ALL_NAMES if name != "geometry")
    assert message.startswith(f"Figures whose tables this study did not make: {absent}. Tables of a profile that add ")
    assert "; [along_training] for 'conflict_along_training', 'conflict_along_training_by_module'; " in message
    with pytest.raises(SpkitError, match=r"Run a study whose profile has the table \[sequential\], or leave the"):
        draw_figures(folder, tmp_path / "out", only=["pipelines"])
    with pytest.raises(SpkitError, match=r"'conflict' must have data to draw.*holds no 'conflict.csv'"):
        draw_figures(folder, tmp_path / "out", only=["conflict"])
    # A figure whose data is gone must not pass for one that is up to date.
    (tmp_path / "out" / "conflict.png").write_bytes(b"old")
    (line,) = check_figures(folder, tmp_path / "out")
    assert "conflict: " in line
    assert "Yet there is 'conflict.png'" in line


def test_a_file_without_the_rows_of_a_figure_is_named_too(results, tmp_path, capsys):
    folder = write_results(tmp_path / "results", seeds=(0,))
    for path in folder.glob("*.csv"):
        pd.read_csv(path).iloc[:0].to_csv(path, index=False)
    assert draw_figures(folder, tmp_path / "out") == []
    message = capsys.readouterr().err
    assert message.count(" is left out: ") == len([*NAMES, "two_means"])
    assert message.count("Figures whose tables this study did not make: ") == 1
    with pytest.raises(SpkitError, match=r"coefficients.csv holds no coefficients of Self Positioning"):
        draw_figures(folder, tmp_path / "out", only=["coefficients"])


def test_errors_name_what_there_is(results, tmp_path):
    with pytest.raises(SpkitError, match=r"Found 'histogram'.*'methods', 'two_means', 'differences'"):
        draw_figures(results, tmp_path, only=["histogram", "methods"])
    with pytest.raises(SpkitError, match="folder of a finished study"):
        check_figures(results / "nowhere", tmp_path)
    folder = write_results(tmp_path / "broken")
    table = pd.read_csv(folder / "scores.csv")
    table.drop(columns="low").to_csv(folder / "scores.csv", index=False)
    with pytest.raises(SpkitError, match="Missing: 'low'"):
        draw_figures(folder, tmp_path, only=["methods"])
    pd.concat([table, table.tail(1)]).to_csv(folder / "scores.csv", index=False)
    with pytest.raises(SpkitError, match="Found 1 more; the first has method='self_position:module', task='mean'"):
        draw_figures(folder, tmp_path, only=["methods"])


def test_the_scores_drawn_are_the_main_metrics_and_their_means(results, drawn):
    data = pd.read_csv(drawn / "methods.csv")
    source = pd.read_csv(results / "scores.csv").query("metric != 'cosine_spearman:words'")
    assert len(data) == len(METHODS) * 4 * (3 + 1)  # tasks and their mean, seeds and their mean
    means = source.groupby(["method", "task"])[["score", "low", "high"]].mean()
    shown = data.query("seed == 'mean'").set_index(["method", "task"])[["score", "low", "high"]]
    pd.testing.assert_frame_equal(shown.sort_index(), means.sort_index())
    seeds = data.query("seed != 'mean'").astype({"seed": int}).set_index(["method", "task", "seed"])["score"]
    pd.testing.assert_series_equal(
        seeds.sort_index(), source.set_index(["method", "task", "seed"])["score"].sort_index()
    )


def test_undetermined_cosines_stay_undetermined(results, drawn):
    cells = pd.read_csv(drawn / "conflict.csv").set_index(["row", "column"])
    source = pd.read_csv(results / "conflict.csv")
    nowhere, somewhere, everywhere = cells.loc[[("topic", "sts"), ("sts", "faq"), ("topic", "faq")]].to_dict("records")
    assert nowhere["determined"] == 0
    assert all(np.isnan(nowhere[name]) for name in ("corrected", "low", "high"))
    assert (somewhere["determined"], somewhere["seeds"]) == (2, 3)
    assert somewhere["corrected"] == pytest.approx(source.query("a == 'faq' and b == 'sts'")["corrected"].mean())
    assert everywhere["determined"] == 3
    assert "16 batches of 32 examples" in caption(drawn, "conflict")
    assert "Undetermined" in caption(drawn, "conflict")


def test_a_pair_given_in_both_orders_and_with_itself_is_one_cell(results, drawn, tmp_path):
    folder = write_results(tmp_path / "results")
    table = pd.read_csv(folder / "conflict.csv")
    own = table.assign(b=table["a"], corrected=1.0).drop_duplicates(["a", "seed"])
    pd.concat([table, table.rename(columns={"a": "b", "b": "a"}), own]).to_csv(folder / "conflict.csv", index=False)
    draw_figures(folder, tmp_path, only=["conflict"])
    for suffix in (".csv", ".png"):
        assert (tmp_path / f"conflict{suffix}").read_bytes() == (drawn / f"conflict{suffix}").read_bytes()


def test_norms_and_cosines_are_drawn(drawn):
    data = pd.read_csv(drawn / "geometry.csv")
    norms = data.query("measure == 'norm' and seed == 'mean'").set_index("a")["value"]
    assert norms.to_dict() == pytest.approx({"faq": 1.1, "sts": 2.1, "topic": 3.1})
    assert len(data.query("measure == 'cosine' and seed == 'mean'")) == 3


def test_the_path_is_drawn_with_a_mean_over_the_steps_all_seeds_reached(results, tmp_path):
    folder = write_results(tmp_path / "results")
    history = pd.read_csv(folder / "history.csv")
    short = history["method"].eq("self_position") & history["seed"].eq(1) & history["step"].gt(4)
    history[~short].to_csv(folder / "history.csv", index=False)
    draw_figures(folder, tmp_path, only="trajectory")
    data = pd.read_csv(tmp_path / "trajectory.csv")
    loss = data.query("measure == 'loss' and seed == 'mean' and method == 'self_position'")
    assert loss["step"].tolist() == [1, 2, 3, 4]
    assert loss["value"].tolist() == pytest.approx([2 / step + 1 for step in (1, 2, 3, 4)])  # seeds 0, 1, 2 add 1
    assert loss["running_mean"].iloc[1] == pytest.approx(loss["value"].iloc[:3].mean())
    coefficients = data.query("measure == 'coefficient' and method == 'self_position:module' and task == 'sts'")
    assert set(coefficients["seed"]) == {"0", "1", "2", "mean"}


def test_coefficients_begin_with_the_whole_model(drawn):
    data = pd.read_csv(drawn / "coefficients.csv")
    assert list(dict.fromkeys(data["module"])) == ["whole model", "embeddings", "layer.0"]
    assert (data["lowest"] <= data["coefficient"]).all()
    assert (data["coefficient"] <= data["highest"]).all()


def test_the_search_is_compared_with_the_merge_it_beats_least(drawn):
    data = pd.read_csv(drawn / "differences.csv")
    joint, static = (data[data["panel"] == name] for name in ("joint", "best static merge"))
    assert set(joint["method"]) == set(METHODS) - {"joint"}
    assert set(joint["task"]) == {"mean"}
    assert set(static["against"]) == {"average"}  # the differences were made to grow with the place in MERGES
    assert set(static["method"]) == set(SEARCHES)
    assert set(static["task"]) == {*TASKS, "mean"}


def test_conflict_in_outcome_is_joint_training_minus_the_expert(results, tmp_path):
    draw_figures(results, tmp_path, only=["conflict_outcome"])
    drawn = pd.read_csv(tmp_path / "conflict_outcome.csv").query("seed == 'mean'").set_index("task")
    table = pd.read_csv(results / "comparisons.csv").query("against == 'joint'")
    assert list(drawn.index) == list(TASKS)
    for task in TASKS:
        own = table[(table["task"] == task) & (table["method"] == f"expert:{task}")]
        assert drawn.loc[task, "difference"] == pytest.approx(-own["difference"].mean())
        assert drawn.loc[task, "low"] == pytest.approx(-own["difference"].mean() - 0.5)
        assert drawn.loc[task, "high"] == pytest.approx(-own["difference"].mean() + 0.6)


def compared(*rows: tuple[str, str, str, float], width: float = 1.0, **columns: object) -> pd.DataFrame:
    """Comparisons: method, against, task, difference, with an interval of that width to both sides."""
    table = pd.DataFrame(rows, columns=["method", "against", "task", "difference"])
    return table.assign(low=table["difference"] - width, high=table["difference"] + width, seed=0, **columns)


def told(name: str, *tables: pd.DataFrame) -> str:
    """What a figure comes to, from the tables that it reads."""
    rule = all_rules()[name]
    return rule.drawing(dict(zip(rule.inputs, tables, strict=True))).headline


def test_every_figure_says_what_it_comes_to(drawn):
    for name in NAMES:
        assert re.fullmatch(r"[A-Z].*[^.]", headline(drawn, name)), name


def test_a_headline_stands_above_the_figure_which_becomes_higher_by_it():
    rule = all_rules()["geometry"]
    table = pd.DataFrame({"a": ["faq"], "b": ["sts"], "cosine": [0.1], "norm_a": [1.0], "norm_b": [2.0], "seed": [0]})
    plain = Sheet()
    plot.geometry(table, plain)
    drawing = rule.drawing({"geometry.csv": table})
    assert drawing.headline == (
        "The cosine of the two task vectors is 0.10; the longest (sts) has 2.0 times the norm of the shortest (faq)"
    )
    suptitle = drawing.figure.get_suptitle()
    assert " ".join(suptitle.split()) == drawing.headline
    assert drawing.figure.get_figwidth() == plain.get_figwidth()
    lines = suptitle.count("\n") + 1
    assert plain.get_figheight() + 0.12 * lines < drawing.figure.get_figheight() < plain.get_figheight() + 0.3 * lines


def test_a_merge_is_ahead_where_its_interval_leaves_out_zero_and_no_seed_says_otherwise():
    values = {"ties": (2.0, 2.0), "slerp": (2.0, 0.5), "average": (2.0, -2.0), "base": (9.0, 9.0)}
    table = compared(
        *((method, "joint", task, value) for method, both in values.items()
          for task, value in zip(("mean", "unseen mean"), both, strict=True))
    )  # fmt: skip
    mean = table.drop(columns="seed")
    assert told("two_means", table, mean) == "1 of 3 merges is ahead of joint training on both means"
    # The means are ahead, and one of two seeds is behind.
    other = table.assign(seed=1, difference=-table["difference"])
    seeds = pd.concat([table, other])
    assert told("two_means", seeds, mean) == "None of 3 merges is ahead of joint training on both means"
    behind = table[table["method"] != "average"].assign(difference=-4.0, low=-5.0, high=-3.0)
    of_mean = behind.drop(columns="seed")
    assert told("two_means", behind, of_mean) == "All 2 merges are behind joint training on both means"


def test_the_differences_are_told_of_the_search_with_the_higher_mean():
    table = compared(
        ("self_position", "joint", "mean", -4.0), ("self_position:module", "joint", "mean", -3.0),
        ("ties", "joint", "mean", -3.5), ("self_position:module", "ties", "mean", 0.5),
        ("self_position", "ties", "mean", -0.5),
    )  # fmt: skip
    expected = "behind joint training by 3.0 points and not shown to differ from the best static merge (TIES)"
    assert told("differences", table, table) == f"On trained tasks, Self Positioning, by module is {expected}"
    only = table[table["method"] == "ties"]
    assert told("differences", only, only) == "None of 1 merges is ahead of joint training on trained tasks"


def test_neither_the_base_nor_a_merge_that_failed_sets_the_scale_of_differences():
    merges = {"average": -6.3, "ties": -1.4, "slerp": -2.5, "fisher": -6.2, "mergekit:sce": -1.9}
    failed = {"mergekit:model_stock": -27.4, "base": -29.8}
    table = compared(*((name, "joint", "mean", number) for name, number in (merges | failed).items()))
    (panel,) = plot.differences(table, ax=Sheet())
    low, high = panel.get_xlim()
    assert -10 < low < -6.3
    assert 0 < high < 2
    arrows = [line for line in panel.lines if line.get_marker() == "<"]
    assert len(arrows) == len(failed)
    assert {text.get_text() for text in panel.texts} >= {"−27.4", "−29.8"}
    (panel,) = plot.differences(table[table["method"].isin(["base", "ties", "mergekit:model_stock"])], ax=Sheet())
    assert panel.get_xlim()[0] < -27  # of two merges neither is the one that failed


def test_of_many_tasks_the_panel_of_the_search_has_the_trained_ones_and_the_means():
    tasks = {"faq": "trained", "sts": "trained", "mean": "trained", "unseen mean": "unseen"}
    tasks |= {f"news{number}": "unseen" for number in range(12)}
    rows = (("self_position", "ties", task, 0.5) for task in tasks)
    table = compared(*rows, role=list(tasks.values()), group="")
    (panel,) = plot.differences(table, ax=Sheet())
    shown = [label.get_text() for label in panel.get_yticklabels()]
    assert shown == ["mean", "unseen mean", "faq", "sts"]
    few = table[~table["task"].isin([f"news{number}" for number in range(4)])]
    (panel,) = plot.differences(few, ax=Sheet())
    assert len(panel.get_yticklabels()) == 12
    drawing = all_rules()["differences"].drawing({"comparisons.csv": table, "comparisons_mean.csv": table})
    assert "Its differences on 12 unseen tasks" in drawing.caption


def test_conflict_in_outcome_is_told_by_task():
    table = compared(
        *((f"expert:{task}", "joint", task, value) for task, value in zip(TASKS, (2.0, -3.0, 0.0), strict=True))
    )
    assert told("conflict_outcome", table, table) == (
        "Against the tasks' own experts, joint training loses on faq and gains on sts; no difference is shown on topic"
    )


def test_a_single_pair_is_a_mark_on_a_line():
    row = {"a": "faq", "b": "sts", "cosine": 0.1, "corrected": 0.16, "low": -0.04, "high": 0.36}
    table = pd.DataFrame([{**row, "batches": 8, "batch_size": 32, "seed": 0}])
    assert told("conflict", table) == "Neither conflict nor agreement of faq and sts is shown (cosine 0.16)"
    panel = plot.conflict(table, ax=Sheet())
    assert "0.16 [−0.04, 0.36]" in [text.get_text() for text in panel.texts]
    assert not panel.figure.axes[1:]
    agreed = table.assign(low=0.1)
    assert told("conflict", agreed) == "The gradients of faq and sts agree (cosine 0.16)"
    unknown = table.assign(corrected=np.nan, low=np.nan, high=np.nan)
    assert told("conflict", unknown) == "No cosine can be given for the gradients of faq and sts: the noise is larger"


def test_the_highest_mean_is_told_with_its_method():
    rows = [("base", 60.0, 50.0), ("ties", 72.0, 50.5), ("joint", 70.0, 55.0)]
    table = pd.DataFrame(
        [{"method": method, "task": task, "metric": "mean", "score": score, "seed": 0}
         for method, *scores in rows for task, score in zip(("mean", "unseen mean"), scores, strict=True)]
    ).assign(low=0.0, high=100.0)  # fmt: skip
    assert told("methods", table) == (
        "TIES has the highest mean on trained tasks (72.0), joint training on unseen tasks (55.0)"
    )


def test_the_pooler_which_takes_no_part_is_no_row():
    modules = ["embeddings", "layer.0.attention", "pooler"]
    table = pd.DataFrame({"method": "self_position:module", "module": modules, "task": "faq", "coefficient": 0.5})
    (panel,) = plot.coefficients(table, ax=Sheet())
    assert [label.get_text() for label in panel.get_yticklabels()] == ["embeddings", "layer 0 attention"]
    drawing = all_rules()["coefficients"].drawing({"coefficients.csv": table.assign(seed=0)})
    assert "The pooler, which takes no part in an embedding, is left out." in drawing.caption


@pytest.mark.parametrize(("study", "folder"), [("demo", "."), ("tour", "tour"), ("kinds", "kinds"), ("span", "span")])
def test_committed_figures_are_of_the_committed_tables_and_code(study, folder):
    """`make figures ARGS=--check` compares every byte; this finds what was forgotten to be drawn, in no time."""
    root = Path(__file__).parent.parent
    pages = sorted((root / "figures" / folder).glob("[!.]*.json"))
    assert pages
    rules = all_rules()
    results = root / "data" / "results" / study
    assert [page.stem for page in pages if not is_fresh(rules[page.stem], results, page.parent)] == []


# Provenance: what decides the drawing, and nothing else


def made_of(results: Path, name: str) -> dict[str, object]:
    rule = all_rules()[name]
    return provenance(rule, results, read_results(results, rule.inputs))


def test_a_comment_in_the_style_file_leaves_figures_fresh_and_a_changed_value_does_not(results, tmp_path, monkeypatch):
    from spkit.drawing import style

    before = made_of(results, "methods")
    text = style._FILE.read_text(encoding="utf-8")
    monkeypatch.setattr(style, "_FILE", tmp_path / "a.mplstyle")
    (tmp_path / "a.mplstyle").write_text(f"# A comment.\n\n{text}", encoding="utf-8")
    assert made_of(results, "methods") == before
    (tmp_path / "a.mplstyle").write_text(text.replace("lines.linewidth: 1.4", "lines.linewidth: 1.5"), encoding="utf-8")
    assert text.count("lines.linewidth: 1.4") == 1
    assert {key for key, value in made_of(results, "methods").items() if value != before[key]} == {"style"}


#: What is changed of a copy of the package, a text by another, and whether the figure `methods` is then another one.
CHANGES = {
    "a docstring": ("figures/methods.py", "The scores of a study.", "What it scored.", False),
    "a comment": ("figures/methods.py", "_PANELS_A_ROW = 6", "_PANELS_A_ROW = 6  # and why", False),
    "a colour of it": ("drawing/style.py", '"joint": _VERMILION', '"joint": _PURPLE', True),
    "a colour of another figure": ("drawing/style.py", 'BAR = "#B8C4CE"', 'BAR = "#B8C4CF"', False),
    "a helper of its kit": ("drawing/dots.py", "height + 0.3", "height + 0.31", True),
}


def code_of_methods(package: Path) -> str:
    command = "from spkit.figures.methods import rule; from spkit.drawing.provenance import drawing_code as code; "
    env = {**os.environ, "PYTHONPATH": str(package.parent), "PYTHONDONTWRITEBYTECODE": "1"}
    run = [sys.executable, "-c", command + "print(code(rule))"]
    return subprocess.run(run, cwd=package.parent, env=env, capture_output=True, text=True, check=True).stdout


@pytest.fixture(scope="module")
def package(tmp_path_factory) -> tuple[Path, str]:
    """A copy of the package, and the hash of the code of a figure in it."""
    copy = tmp_path_factory.mktemp("code") / "spkit"
    shutil.copytree(Path(__file__).parent.parent / "spkit", copy, ignore=shutil.ignore_patterns("__pycache__"))
    return copy, code_of_methods(copy)


@pytest.mark.parametrize("what", CHANGES)
def test_other_code_makes_a_figure_stale_and_other_words_about_it_do_not(package, what):
    copy, before = package
    module, old, new, stale = CHANGES[what]
    text = (copy / module).read_text(encoding="utf-8")
    assert old in text
    (copy / module).write_text(text.replace(old, new, 1), encoding="utf-8")
    assert (code_of_methods(copy) != before) == stale
    (copy / module).write_text(text, encoding="utf-8")


def test_a_figure_that_is_fresh_is_not_drawn_again(results, tmp_path):
    only = ["conflict", "geometry"]
    assert len(draw_figures(results, tmp_path, only)) == 8
    assert draw_figures(results, tmp_path, only, stale_only=True) == []
    (tmp_path / "conflict.pdf").unlink()
    assert {path.stem for path in draw_figures(results, tmp_path, only, stale_only=True)} == {"conflict"}
    table = pd.read_csv(results / "geometry.csv")
    changed = shutil.copytree(results, tmp_path / "changed")
    table.assign(norm_a=2.0).to_csv(changed / "geometry.csv", index=False)
    assert {path.stem for path in draw_figures(changed, tmp_path, only, stale_only=True)} == {"geometry"}


def test_one_seed_is_drawn_once(tmp_path):
    folder = write_results(tmp_path / "results", seeds=(7,))
    assert len(draw_figures(folder, tmp_path)) == 4 * len(NAMES)
    for name in ("methods", "differences", "geometry", "trajectory"):
        assert set(pd.read_csv(tmp_path / f"{name}.csv")["seed"]) == {"mean"}
        assert "one seed (7)" in caption(tmp_path, name)


def test_bounds_below_zero_and_missing_intervals_are_drawn(tmp_path):
    folder = write_results(tmp_path / "results")
    scores = pd.read_csv(folder / "scores.csv")
    scores.loc[scores["task"] == "mean", ["low", "high"]] = np.nan
    scores[scores["method"] != "joint"].to_csv(folder / "scores.csv", index=False)
    coefficients = pd.read_csv(folder / "coefficients.csv")
    coefficients["coefficient"] -= 0.5
    coefficients.to_csv(folder / "coefficients.csv", index=False)
    assert len(draw_figures(folder, tmp_path, only=["methods", "coefficients"])) == 8


def test_a_figure_of_ones_own(results, tmp_path):
    @figure("mine", inputs=("scores.csv",))
    def draw(tables):
        drawing = mpl.figure.Figure()
        drawing.subplots().plot(tables["scores.csv"]["score"])
        return drawing, tables["scores.csv"][["score"]], "Scores as they come."

    try:
        assert figure_names() == [*ALL_NAMES, "mine"]
        assert len(draw_figures(results, tmp_path, only=["mine"])) == 4
        assert caption(tmp_path, "mine") == "Scores as they come."
        assert len(json.loads((tmp_path / "mine.json").read_text(encoding="utf-8"))["code"]) == 64
    finally:
        forget("mine")


def test_methods_stand_in_a_fixed_order_with_names_for_readers():
    shuffled = ["self_position:module", "dare", "ties_tuned", "joint", "expert:sts", "ties", "base", "self_position"]
    ordered = ["base", "expert:sts", "joint", "ties", "ties_tuned", "dare", "self_position:module", "self_position"]
    assert ordered_methods(shuffled) == ordered
    assert [family(method) for method in ordered[4:]] == ["tuned", "merge", "searched", "searched"]
    assert method_label("mergekit:karcher") == "mergekit, karcher"


def test_the_summary_has_means_over_seeds_with_intervals(results):
    scores = pd.read_csv(results / "scores.csv")
    table = summary_table(scores)
    assert list(table.columns) == ["faq", "sts", "topic", "mean"]
    assert list(table.index[:2]) == ["base", "expert: faq"]
    own = scores.query("method == 'ties' and metric == 'cosine_spearman'")
    expected = f"{own['score'].mean():.1f} [{own['low'].mean():.1f}, {own['high'].mean():.1f}]"
    assert table.loc["TIES", "sts"] == expected
    without = summary_table(scores[~((scores["method"] == "ties") & (scores["task"] == "sts"))])
    assert without.loc["TIES", "sts"] == ""


def test_markdown_escapes_bars_and_sets_numbers_right():
    table = pd.DataFrame({"a|b": [1.0, np.nan], "text": ["x|y", None]}, index=pd.Index(["p", "q"], name="row"))
    assert to_markdown(table).splitlines() == [
        "| row | a\\|b | text |",
        "| :-- | ---: | :--- |",
        "| p   | 1.00 | x\\|y |",
        "| q   |      |      |",
    ]


def test_an_analysis_may_have_its_figure_in_its_own_file(package, results):
    """One file more in a copy of the package: its figure is listed and drawn, and nothing else knows of it."""
    copy, _ = package
    own = copy / "study" / "analyses" / "lengths.py"
    own.write_text(
        "from spkit.drawing import Drawing, Sheet, figure\n\n"
        "from spkit.results.schema import GEOMETRY\n\n\n"
        '@figure("lengths", inputs=[GEOMETRY])\n'
        "def rule(tables):\n"
        "    sheet, table = Sheet(), tables[GEOMETRY.file]\n"
        '    sheet.subplots().plot(table["norm_a"])\n'
        '    return Drawing(sheet, table, "Lengths.")\n',
        encoding="utf-8",
    )
    command = "from spkit.figures import *; import sys; assert 'torch' not in sys.modules; print(figure_names()[-1]); "
    command += f"print(len(draw_figures({str(results)!r}, {str(copy / 'drawn')!r}, ['lengths'])))"
    env = {**os.environ, "PYTHONPATH": str(copy.parent), "PYTHONDONTWRITEBYTECODE": "1"}
    run = [sys.executable, "-c", command]
    ran = subprocess.run(run, cwd=copy.parent, env=env, capture_output=True, text=True, check=True)
    own.unlink()
    assert ran.stdout.split() == ["lengths", "4"]
