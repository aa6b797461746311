"""`spkit best`: what is picked, what is tested, what is refused, and what is left behind."""

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from datasets import Dataset
from hypothesis import given
from hypothesis import strategies as st
from sentence_transformers import SentenceTransformer
from typer.testing import CliRunner, Result

import spkit
from spkit.best_model import candidates, steps
from spkit.best_model.candidates import mix_name
from spkit.best_model.checks import check_names
from spkit.best_model.data import ReportData
from spkit.best_model.examples import examples_of
from spkit.best_model.page import page
from spkit.best_model.report import Report
from spkit.best_model.results import dev_mean, ranking
from spkit.best_model.running import prepared
from spkit.cli import app
from spkit.errors import SpkitError
from spkit.evaluation import Measurement
from spkit.hashing import weights_hash
from spkit.merging.registry import find
from tests.browsing import ARGUMENTS, CHROMIUM
from tests.experts import noisy
from tests.tiny import WORDS, tiny_encoder, tiny_tasks

BUDGET = 3


@pytest.fixture(scope="module")
def base() -> SentenceTransformer:
    return tiny_encoder(words=WORDS)


@pytest.fixture(scope="module")
def models(base) -> dict[str, SentenceTransformer]:
    return {name: noisy(base, seed, 0.05) for seed, name in enumerate(("faq", "likeness", "joint"), 1)}


@pytest.fixture(scope="module")
def tasks() -> dict[str, spkit.Task]:
    tiny = tiny_tasks((48, 40, 24))
    new = spkit.Task(name="new", kind="retrieval", test=tiny_tasks((48, 40, 48))["faq"].test.select(range(24, 48)))
    return {"faq": tiny["faq"], "likeness": tiny["likeness"], "new": new}


@pytest.fixture(scope="module")
def few_rules():
    """Two rules of all: what is tested here is not theirs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(candidates, "methods", lambda: {name: find(name) for name in ("average", "ties", "regmean")})
        patch.setattr(candidates.searches, "STEPS", 2)
        patch.setattr(candidates.searches, "BATCH", 8)
        yield


def run(base, models, tasks, output=None) -> Report:
    return spkit.best(base, models, tasks, output=output, budget=BUDGET, progress=False)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("best") / "report"


@pytest.fixture(scope="module")
def report(base, models, tasks, few_rules, folder) -> Report:
    return run(base, models, tasks, folder)


def test_every_candidate_is_measured_and_the_given_ones_are_tested(report) -> None:
    rows = {row.name: row for row in report.data.rows}
    assert {name: row.sort for name, row in rows.items()} == {
        "faq": "given", "likeness": "given", "joint": "given", "base": "base", "average": "rule", "ties": "rule",
        "regmean": "rule", "average of all": "mix", mix_name("joint"): "mix", "search:score": "search",
        "self_position:module": "search",
    }  # fmt: skip
    assert {name for name, row in rows.items() if row.test} == {"faq", "likeness", "joint", "base", report.data.picked}
    assert all(set(row.dev) == {"faq", "likeness", "mean"} for row in rows.values())
    assert set(rows["base"].unseen) == {"new", "unseen mean"}
    assert report.data.joint == ["joint"]


def test_several_joint_models_are_mixed_singly_and_together(base, models, tasks, few_rules, tmp_path) -> None:
    job = prepared(base, models | {"second": noisy(base, 4, 0.05)}, tasks, progress=False)
    mixes = {one.name: one.build(job, tmp_path).place for one in candidates.candidates(job) if one.sort == "mix"}
    assert {name: place[0].tolist() for name, place in mixes.items()} == {
        "average of all": [0.25, 0.25, 0.25, 0.25],
        mix_name("joint"): [0.25, 0.25, 0.75, 0.0],
        mix_name("second"): [0.25, 0.25, 0.0, 0.75],
        mix_name("joint", "second"): [0.25, 0.25, 0.375, 0.375],
    }


def test_the_best_on_dev_is_picked_and_never_worse_than_a_given_one(report, models) -> None:
    table = report.table
    assert table["picked"].tolist() == [True] + [False] * (len(table) - 1)
    assert table["dev"].is_monotonic_decreasing
    assert table["dev"].iloc[0] >= table.loc[list(models), "dev"].max()


@given(st.lists(st.floats(0, 100), min_size=3, max_size=12), st.data())
def test_no_ranking_begins_with_what_is_worse_than_a_given_model(scores, data) -> None:
    sorts = {str(n): data.draw(st.sampled_from(["given", "base", "rule", "search"])) for n in range(len(scores))}
    dev = {name: [Measurement("t", "accuracy", score)] for name, score in zip(sorts, scores, strict=True)}
    first = ranking(dev, sorts)[0]
    given_ones = [dev_mean(dev[name]) for name, sort in sorts.items() if sort == "given"]
    assert dev_mean(dev[first]) == max(scores)
    assert sorts[first] == "given" or dev_mean(dev[first]) > max(given_ones, default=-1.0)


def test_an_undefined_score_is_the_lowest() -> None:
    dev = {"merge": [Measurement("t", "accuracy", np.nan)], "mine": [Measurement("t", "accuracy", 0.0)]}
    assert ranking(dev, {"merge": "rule", "mine": "given"}) == ["mine", "merge"]


def test_scores_are_those_of_evaluate_on_parts_that_share_no_text(report, base, models, tasks) -> None:
    parts = examples_of(tasks, models)
    for name in ("faq", "likeness"):
        read, picks = (set(map(str, part[name].dev)) for part in (parts.read, parts.pick))
        assert read.isdisjoint(picks)
        assert len(read) + len(picks) == len(tasks[name].dev)
    assert list(parts.test) == ["faq", "likeness", "new"]
    scores = spkit.evaluate(models["faq"], parts.pick, split="dev", means=True).set_index("task")["score"]
    for task, one in report.data.row("faq").dev.items():
        assert one.score == pytest.approx(scores[task])
    tested = spkit.evaluate(report.model(), tasks, means=True).set_index("task")
    picked = report.data.rows[0]
    for task, one in (picked.test | picked.unseen).items():
        assert (one.score, one.low, one.high) == pytest.approx(tuple(tested.loc[task, ["score", "low", "high"]]))


def test_differences_are_those_of_compare(report, models, tasks) -> None:
    table = spkit.compare({"best": report.model(), "joint": models["joint"]}, tasks, progress=False)
    ours = report.data.row("joint").ahead
    if report.data.picked == "joint":
        assert ours == {}
    for row in table.to_dict("records") if ours else ():
        one = ours[row["task"]]
        assert (one.score, one.low, one.high) == pytest.approx((row["difference"], row["low"], row["high"]))


def test_the_searches_never_end_below_their_start_on_what_is_held_back(report, folder, models, tasks) -> None:
    read = examples_of(tasks, models).read
    for name, better in (("search-score", 1), ("self_position-module", -1)):
        (step,) = (folder / "steps" / "dev").glob(f"{name}*")
        settings = json.loads((step / "position.json").read_text(encoding="utf-8"))["settings"]
        for task, rows in read.items():
            assert settings["probe"][task] + settings["validation"][task] == len(rows.dev)
            assert settings["validation"][task] == round(candidates.HELD_BACK * len(rows.dev))
        looks = pd.read_csv(step / "history.csv")["validation"].dropna()
        start = settings.get("value_at_start", settings.get("validation_at_start"))
        ended = settings.get("value", min(start, looks.min()))
        assert better * ended >= better * start
    assert not any("hold some back" in note for note in report.data.notes)


def test_examples_too_few_to_hold_some_back_are_told(base, models, tasks, few_rules) -> None:
    few = spkit.Task(name="faq", kind="retrieval", test=tasks["faq"].test, dev=tasks["faq"].dev.select(range(8)))
    found = run(base, {"faq": models["faq"]}, {"faq": few})
    assert (
        "Too few dev examples to hold some back from the searches: they may end below their start." in found.data.notes
    )


def test_the_verdict_is_two_sentences_with_numbers(report) -> None:
    assert len(report.data.verdict) == 2
    assert all(sentence.endswith(".") and re.search(r"\d\.\d", sentence) for sentence in report.data.verdict)
    assert "on tasks that nobody trained on" in report.verdict
    assert report.data.next


def test_the_folder_holds_model_page_and_data(report, folder, base) -> None:
    saved = SentenceTransformer(str(folder / "model"), device="cpu")
    assert weights_hash(saved) == weights_hash(report.model())
    data = ReportData.model_validate_json((folder / "report.json").read_text(encoding="utf-8"))
    assert data == report.data
    if report.data.recipe is not None:
        recipe = json.loads((folder / "model" / "recipe.json").read_text(encoding="utf-8"))
        assert recipe["coefficients"] == report.data.recipe["coefficients"]
        assert "method" in (folder / "model" / "README.md").read_text(encoding="utf-8")
    text = (folder / "report.html").read_text(encoding="utf-8")
    assert all(sentence.replace("'", "&#x27;") in text for sentence in report.data.verdict)
    assert set(re.findall(r'src="([^:]*):', text)) == {"data"}
    assert not re.search(r"<script|<link|https?://", text)


def test_the_form_of_the_data_is_closed() -> None:
    schema = ReportData.model_json_schema()
    assert schema["additionalProperties"] is False
    assert {"verdict", "picked", "rows", "tasks", "recipe", "notes", "next"} <= set(schema["required"])
    with pytest.raises(ValueError, match="surplus"):
        ReportData.model_validate({"surplus": 1})


def test_names_are_text_on_the_page(report) -> None:
    evil = "<script>alert(1)</script>"
    rows = [row.model_copy(update={"label": evil}) for row in report.data.rows]
    named = {"rows": rows, "notes": [evil], "next": [f"`{evil}`"], "models": {evil: evil}, "command": evil}
    text = page(report.data.model_copy(update=named))
    assert evil not in text
    assert text.count("&lt;script&gt;") > len(rows)


def test_what_was_measured_is_not_measured_again(report, base, models, tasks, few_rules, folder, monkeypatch) -> None:
    monkeypatch.setattr(steps, "measure", lambda *given, **named: pytest.fail("measured again"))
    assert run(base, models, tasks, folder).data == report.data


@pytest.mark.slow
def test_a_stopped_run_goes_on(report, base, models, tasks, few_rules, tmp_path, monkeypatch) -> None:
    asked: list[str] = []
    real, measure = candidates.searches.search, steps.measure

    def stops(*given, **named):
        asked.append(named["name"])
        if len(asked) == 3:
            raise KeyboardInterrupt
        return measure(*given, **named)

    monkeypatch.setattr(steps, "measure", stops)
    with pytest.raises(KeyboardInterrupt):
        run(base, models, tasks, tmp_path / "report")
    assert not (tmp_path / "report" / "report.json").exists()

    def stops_searching(vectors, probe, *given, **named):
        result = real(vectors, probe, *given, **{**named, "budget": named["budget"]})
        result.settings["interrupted"] = True  # as a search that Ctrl-C has ended
        return result

    monkeypatch.setattr(candidates.searches, "search", stops_searching)
    with pytest.raises(KeyboardInterrupt):
        run(base, models, tasks, tmp_path / "report")
    assert list((tmp_path / "report" / "steps" / "journals").glob("*.jsonl"))
    monkeypatch.setattr(candidates.searches, "search", real)
    again = run(base, models, tasks, tmp_path / "report")
    assert not (tmp_path / "report" / "steps" / "journals").exists()
    assert len(asked) == len(set(asked)) + 1 + len([row for row in again.data.rows if row.test])  # one was stopped
    same = {"seconds": report.data.seconds}
    assert again.data.model_copy(update=same) == report.data


def test_a_rule_that_cannot_be_run_is_told(base, models, tasks, few_rules, monkeypatch) -> None:
    def refuses(*given, **named):
        raise SpkitError("A rule.", "Found a reason.")

    monkeypatch.setattr(candidates, "point", refuses)
    found = run(base, {"faq": models["faq"]}, {"faq": tasks["faq"]})
    assert "ties was left out: A rule. Found a reason." in found.data.notes
    assert {row.name for row in found.data.rows} == {"faq", "base", "search:score", "self_position:module"}
    assert found.data.next  # one model and its base work, too


def test_the_best_given_model_is_returned_as_it_is(base, models, tasks, few_rules, monkeypatch) -> None:
    monkeypatch.setattr(
        steps, "ranking", lambda dev, sorts: sorted(dev, key=lambda name: (sorts[name] != "given", name))
    )
    found = run(base, {name: models[name] for name in ("faq", "likeness")}, {"faq": tasks["faq"]})
    assert (found.data.picked, found.data.recipe) == ("faq", None)
    assert weights_hash(found.model()) == weights_hash(models["faq"])
    assert found.data.verdict[0].startswith("No merge beats the best given model on dev: ")
    assert "unchanged" in page(found.data)


def rows_of(tasks, name, *splits) -> dict[str, Dataset]:
    return {split: getattr(tasks[name], split) for split in splits}


def test_a_test_file_alone_gives_both_parts(tasks) -> None:
    lone = spkit.Task(name="faq", kind="retrieval", **rows_of(tasks, "faq", "test"))
    parts = examples_of({"faq": lone, "new": tasks["new"]}, ["faq", "joint"])
    anchors = [set(part["anchor"]) for part in (parts.read["faq"].dev, parts.pick["faq"].dev, parts.test["faq"].test)]
    assert set.union(*anchors) == set(lone.test["anchor"])
    assert sum(map(len, anchors)) == len(set(lone.test["anchor"]))
    assert parts.notes == ("Task faq has a test file alone: half of it picks the model, the other half tests it.",)
    assert parts.test["new"].role == "unseen"
    assert "new" not in parts.pick
    alone = examples_of({"faq": lone}, ["one", "other"])
    assert list(alone.pick) == ["faq"]
    assert alone.notes[0] == "No model is named after a task: the best one is picked by faq."


def test_dev_examples_that_models_have_seen_are_told(tasks) -> None:
    task = spkit.Task(name="faq", kind="retrieval", **rows_of(tasks, "faq", "train", "test"))
    assert task.from_train == ("dev",)
    (note,) = examples_of({"faq": task}, ["faq"]).notes
    assert note.startswith("The dev examples of faq are a part of its training file: ")
    assert examples_of({"faq": tasks["faq"]}, ["faq"]).notes == ()


def test_a_test_from_the_training_file_is_refused(tasks, base, models, tmp_path) -> None:
    tasks["faq"].train.to_csv(tmp_path / "faq.csv")
    file = tmp_path / "my_tasks.toml"
    file.write_text('[tasks.faq]\nkind = "retrieval"\ntrain = "faq.csv"\n', encoding="utf-8")
    assert spkit.load_tasks(file)["faq"].from_train == ("test", "dev")
    with pytest.raises(SpkitError, match=r"its training has not seen\. Found no `test` for 'faq'.*Give each a `test`"):
        spkit.best(base, {"faq": models["faq"]}, file)


@pytest.mark.parametrize(
    ("named", "found"),
    [
        ({}, "Found none"),
        ({"ties": "runs/faq"}, "Found 'ties'"),
        ({"base": "runs/faq"}, "Found 'base'"),
        ({" ": "runs/faq"}, "Found ' '"),
    ],
)
def test_names_that_mean_something_else_are_refused(named, found, tasks) -> None:
    with pytest.raises(SpkitError, match=found):
        spkit.best("minilm-l3", named, tasks)


def test_models_without_names_are_refused() -> None:
    with pytest.raises(SpkitError, match=r"must give each model a name\. Found str"):
        check_names("runs/faq")


def test_too_few_examples_and_budgets_are_refused(base, models, tasks) -> None:
    few = spkit.Task(name="faq", kind="retrieval", test=tasks["faq"].test.select(range(2)))
    with pytest.raises(SpkitError, match="for a search to read, and others to pick by"):
        examples_of({"faq": few}, ["faq"])
    with pytest.raises(SpkitError, match="at least 2 evaluations"):
        spkit.best(base, models, tasks, budget=1)
    with pytest.raises(SpkitError, match="Found 'topic'"):
        examples_of({"topic": spkit.Task(name="topic", kind="clustering", test=tiny_tasks()["topic"].test)}, ["topic"])


def test_a_report_is_made_apart_from_models_and_other_files(base, models, tasks, tmp_path) -> None:
    spkit.save_model(models["faq"], tmp_path / "mine" / "faq")
    some = {**models, "faq": tmp_path / "mine" / "faq"}
    before = sorted(tmp_path.rglob("*"))
    for output in ("mine/faq", "mine/faq/report", "mine", "."):
        with pytest.raises(SpkitError, match=r"apart from the models that it is about. Found .* model 'faq' in"):
            run(base, some, tasks, tmp_path / output)
    (tmp_path / "used").mkdir()
    (tmp_path / "used" / "notes.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(SpkitError, match=r"new or empty folder, or over a former one. Found .*used with 'notes.txt'"):
        run(base, some, tasks, tmp_path / "used")
    assert [one for one in sorted(tmp_path.rglob("*")) if "used" not in one.parts] == before
    assert [one.name for one in (tmp_path / "used").iterdir()] == ["notes.txt"]


def test_one_model_under_two_names_is_refused(base, models, tasks, tmp_path) -> None:
    spkit.save_model(models["faq"], tmp_path / "faq")
    twice = {"one": tmp_path / "faq", "two": str(tmp_path / "faq")}
    with pytest.raises(SpkitError, match=r"given once. Found the same one in .*faq as 'one' and 'two'"):
        run(base, twice, tasks)
    with pytest.raises(SpkitError, match=r"given once. Found the same one as 'faq' and 'copy'"):
        run(base, {**models, "copy": tmp_path / "faq"}, tasks)


def test_a_foreign_folder_is_left_alone(base, models, tasks, tmp_path) -> None:
    (tmp_path / "report.html").write_text("mine", encoding="utf-8")
    with pytest.raises(SpkitError, match=r"report\.html"):
        run(base, models, tasks, tmp_path)
    assert (tmp_path / "report.html").read_text(encoding="utf-8") == "mine"


@pytest.fixture(scope="module")
def place(base, models, tasks, tmp_path_factory) -> Path:
    """A folder with models and two CSV files, as a user has it."""
    root = tmp_path_factory.mktemp("user")
    for name, model in {"base": base, **models}.items():
        spkit.save_model(model, root / "models" / name)
    for name in ("faq", "likeness"):
        tasks[name].test.to_csv(root / f"{name}.csv")
    (root / "my_tasks.toml").write_text(
        '[tasks.faq]\nkind = "retrieval"\ntest = "faq.csv"\n\n[tasks.likeness]\nkind = "sts"\ntest = "likeness.csv"\n',
        encoding="utf-8",
    )
    return root


def command(*more: str) -> Result:
    given = [f"--model={name}=models/{name}" for name in ("faq", "likeness")]
    call = ["best", "--base", "models/base", *given, "--tasks", "my_tasks.toml", *more]
    done = CliRunner().invoke(app, call, catch_exceptions=False)
    assert done.exit_code == 0, done.stderr
    return done


@pytest.mark.usefixtures("few_rules")
def test_the_command_needs_two_models_and_two_files(place, monkeypatch) -> None:
    monkeypatch.chdir(place)
    planned = command("--plan").stdout
    assert re.search(r"ties +to do +\d+ +\d+\.\d +\d+\.\d", planned)
    assert "0 of 12 steps are done. The others take about" in planned
    assert not (place / "runs").exists()
    done = command("-o", "runs/mine", "--budget", "3")
    data = ReportData.model_validate_json((place / "runs" / "mine" / "report.json").read_text(encoding="utf-8"))
    written = ["Model: runs/mine/model", "Report: runs/mine/report.html, runs/mine/report.json"]
    following = [f"Next: {step}" for step in data.next]
    last = [*written, *following, " ".join(data.verdict)]
    assert done.stdout.splitlines()[-len(last) :] == last
    assert re.search(r"best: +\d+%.*\[\d\d:\d\d, ties, about \d+ (s|min) to go\]", done.stderr)
    assert re.search(r"best: +100%.*\[\d\d:\d\d, done\]", done.stderr)
    again = command("-o", "runs/mine", "--budget", "3", "--json")
    assert ReportData.model_validate_json(again.stdout).rows == data.rows
    assert re.search(
        r"\b(12 of 12|11 of 11) steps are done", command("-o", "runs/mine", "--budget", "3", "--plan").stdout
    )


@pytest.mark.slow
@pytest.mark.skipif(not CHROMIUM, reason="needs chromium")
@pytest.mark.parametrize("width", [390, 1280])
def test_the_page_needs_no_network_and_no_wide_screen(report, folder, width) -> None:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as started:
        opened = started.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        context = opened.new_context(viewport={"width": width, "height": 900}, offline=True)
        shown, said = context.new_page(), []
        shown.on("console", lambda message: said.append(message.text))
        shown.goto((folder / "report.html").as_uri())
        assert shown.evaluate("document.documentElement.scrollWidth") <= width
        assert shown.locator("h1").inner_text().startswith("The best model: ")
        assert shown.evaluate("[...document.images].every(one => one.complete && one.naturalWidth > 0)")
        assert said == []
        opened.close()
