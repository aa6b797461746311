"""Unseen tasks: scored, and nothing else. No text of theirs reaches a training, a probe, a tuning or a choice."""

import json
import shutil
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from transformers import PreTrainedTokenizerBase

from spkit.errors import SpkitError
from spkit.evaluation import encoder
from spkit.searching.probe import Probe
from spkit.study import chosen, declared, load_profile, run_study, seed_run
from spkit.study.declared import declare
from spkit.study.records import Record
from spkit.study.stages.scoring import evaluate_stage, measured_by
from spkit.tasks import Task, load_tasks
from spkit.training.trainer import train
from tests.tiny import WORDS, tiny_encoder, tiny_tasks
from tests.tiny_study import MARK, UNSEEN, unseen_tables

TRAINED = ["faq", "likeness"]
PROFILE = """
base = "base"
tasks = "tasks.toml"
names = ["faq", "likeness"]
seeds = [3]
training = {steps = 2, learning_rate = 3e-3, batch_size = 8}
joint = {sampling = "uniform"}
merges = {methods = ["slerp", "fisher"], evaluations = 3, fisher = {examples = 16}}
probe = {size = 32}
search = {steps = 2, batch_size = 8, learning_rate = 0.1}
search_module = {path = "free", steps = 1, batch_size = 8, learning_rate = 0.1}
conflict = {batches = 4, batch_size = 8}
evaluation = {resamples = 20}
[sequential]
[resampling]
pair = ["faq", "likeness"]
ratios = [[1, 1]]
schemes = ["total"]
steps = 2
samplings = []
surgery = []
[sweeps]
length = [0.5]
mu = [0.1]
[trade_off]
between = ["faq", "likeness"]
ratios = [1.0]
steps = 1
"""
WITH_UNSEEN = PROFILE.replace("seeds =", f"unseen = {json.dumps(UNSEEN)}\nseeds =")
#: The beginnings of the names of stages that score, and of what reads the scores.
SCORING = ("unseen/", "sequential/unseen", "sweeps/", "trade_off/scores")


def write_home(folder: Path) -> Path:
    tiny_encoder(0, (*WORDS, MARK), layers=1).save(str(folder / "base"))
    lines = unseen_tables(folder)
    for task in tiny_tasks((48, 24, 24)).values():
        lines += [f"[tasks.{task.name}]", f'kind = "{task.kind}"']
        for split, rows in task.splits.items():
            rows.to_json(folder / f"{task.name}-{split}.jsonl")
            lines.append(f'{split} = "{task.name}-{split}.jsonl"')
    (folder / "tasks.toml").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "without.toml").write_text(PROFILE, encoding="utf-8")
    (folder / "with.toml").write_text(WITH_UNSEEN, encoding="utf-8")
    return folder


class Recorder:
    """Every text that is tokenised: by the stage that does it, and whether it does so to score a model."""

    def __init__(self) -> None:
        self.stage, self.scoring = "", False
        self.texts: dict[tuple[str, bool], set[str]] = defaultdict(set)

    def marked(self, scoring: bool) -> set[str]:
        """The stages in which a text of an unseen task was tokenised."""
        return {
            stage
            for (stage, scored), texts in self.texts.items()
            if scored == scoring and any(text.startswith(MARK) for text in texts)
        }


@contextmanager
def recorded(patch: pytest.MonkeyPatch) -> Iterator[Recorder]:
    recorder = Recorder()
    tokenise, finish, encode = PreTrainedTokenizerBase.__call__, seed_run.finish, encoder.Encoder.encode

    def tokenising(self, text=None, *args, **settings):
        listed = [text] if isinstance(text, str) else list(text or [])
        recorder.texts[recorder.stage, recorder.scoring] |= {one for one in listed if isinstance(one, str)}
        return tokenise(self, text, *args, **settings)

    def finishing(stage, *args) -> Record:
        recorder.stage = stage.name.partition("/")[2]
        return finish(stage, *args)

    def encoding(self, *args, **settings):
        recorder.scoring = True
        try:
            return encode(self, *args, **settings)
        finally:
            recorder.scoring = False

    with patch.context() as own:
        own.setattr(PreTrainedTokenizerBase, "__call__", tokenising)
        own.setattr(seed_run, "finish", finishing)
        own.setattr(encoder.Encoder, "encode", encoding)
        yield recorder


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    return write_home(tmp_path_factory.mktemp("unseen"))


@pytest.fixture(scope="module")
def whole(home) -> tuple[Path, Recorder]:
    """A whole study with unseen tasks, and what was tokenised in it."""
    with pytest.MonkeyPatch.context() as patch, recorded(patch) as recorder:
        run_study(load_profile(home / "with.toml"), home / "whole", lambda line: None)
    return home / "whole", recorder


@pytest.fixture(scope="module")
def finished(home, whole) -> tuple[Path, Path, list[str]]:
    """The study as it is without unseen tasks, the same after it gained some, and what was said then."""
    before, after, said = home / "before", home / "after", []
    shutil.copytree(whole[0], before)
    for scored in ("unseen", "sweeps", "trade_off/scores"):
        shutil.rmtree(before / "seed3" / scored)
    run_study(load_profile(home / "without.toml"), before, lambda line: None)
    shutil.copytree(before, after)
    run_study(load_profile(home / "with.toml"), after, said.append)
    return before, after, said


def test_no_text_of_an_unseen_task_reaches_anything_but_scoring(whole) -> None:
    recorder = whole[1]
    assert recorder.marked(scoring=False) == set()
    scored_in = recorder.marked(scoring=True)
    assert scored_in
    assert all(stage.startswith(SCORING) for stage in scored_in), scored_in
    # What is recorded is what is read: each stage that trains, probes, searches or compares gradients is among it.
    reading = {stage for (stage, scoring), texts in recorder.texts.items() if texts and not scoring}
    assert reading >= {
        *(f"train/{name}" for name in (*TRAINED, "joint")),
        "conflict", "merge/fisher", "tune/ties_tuned", "search/self_position", "search/self_position-module",
        "sequential/train", "sweeps/mu", "trade_off/search",
    }  # fmt: skip


def test_a_study_that_gains_unseen_tasks_runs_their_evaluations_and_what_reads_them_only(finished) -> None:
    before, after, said = finished
    again = {line.strip().removesuffix(" …").removeprefix("seed3/") for line in said if line.endswith("…")}
    scored = {path.parent.name for path in (after / "seed3" / "unseen").glob("*/record.json")}
    assert scored == {path.parent.name for path in (before / "seed3" / "evaluate").glob("*/record.json")}
    reading = {"sweeps/length", "sweeps/mu", "trade_off/scores", "report"}
    assert again == {*(f"unseen/{name}" for name in scored), *reading}
    for path in before.rglob("record.json"):
        name = path.relative_to(before)
        if name.parts[0] != "report" and name.parts[1] != "sweeps" and "scores" not in name.parts:
            assert (after / name).read_bytes() == path.read_bytes(), name


def test_searches_of_a_sweep_are_not_made_again_for_other_scores(whole, finished) -> None:
    first, again = (json.loads((root / "seed3/sweeps/mu/record.json").read_text()) for root in (whole[0], finished[1]))
    assert first["cost"]["examples"] > again["cost"]["examples"]


def test_a_study_is_the_same_whether_it_had_unseen_tasks_from_the_start_or_gained_them(whole, finished) -> None:
    roots = [whole[0], *finished[:2]]
    chosen = [json.loads((root / "report/record.json").read_text())["metrics"] for root in roots]
    assert chosen[0] == chosen[1] == chosen[2]
    pd.testing.assert_frame_equal(*(pd.read_csv(root / "scores.csv") for root in (whole[0], finished[1])))


def test_every_table_of_scores_has_both_means(finished) -> None:
    before, after = finished[:2]
    for name in ("scores", "pipelines", "resampling", "comparisons", "comparisons_mean", "sweeps", "trade_off"):
        table, former = (pd.read_csv(root / f"{name}.csv") for root in (after, before))
        roles = table.groupby("task")["role"].unique().map(list).to_dict()
        assert [roles.pop(task) for task in (*UNSEEN, "unseen mean")] == [["unseen"]] * 3, name
        assert set(map(tuple, roles.values())) == {("trained",)}, name
        assert "mean" in roles
        # What stands in the table of the trained tasks is what stood there before.
        trained = table[table["role"] == "trained"].reset_index(drop=True)
        times = ["seconds"] if name == "resampling" else []
        pd.testing.assert_frame_equal(trained.drop(columns=times), former.drop(columns=times), check_dtype=False)


def test_means_are_those_of_their_tasks_and_forgetting_is_the_distance_to_the_base(finished) -> None:
    scores = pd.read_csv(finished[1] / "scores.csv")
    wide = scores.pivot(index="method", columns="task", values="score")
    np.testing.assert_allclose(wide["mean"], wide[TRAINED].mean(axis=1), rtol=1e-6)
    np.testing.assert_allclose(wide["unseen mean"], wide[UNSEEN].mean(axis=1), rtol=1e-6)
    forgot = scores.pivot(index="method", columns="task", values="forgetting")
    assert forgot[[*TRAINED, "mean"]].isna().all(axis=None)
    own = [*UNSEEN, "unseen mean"]
    np.testing.assert_allclose(forgot[own], wide[own] - wide.loc["base", own], atol=1e-4)
    groups = scores.fillna({"group": ""}).groupby("task")["group"].unique().map(list).to_dict()
    assert groups == {**{name: [name] for name in TRAINED}, **{name: [""] for name in ("mean", *own)}}


def test_the_summary_speaks_of_both_means(finished) -> None:
    before, after = ((root / "summary.md").read_text(encoding="utf-8") for root in finished[:2])
    (head,) = [line for line in after.splitlines() if line.startswith("| method")]
    assert [cell.strip() for cell in head.strip("|").split("|")][1:] == [
        *TRAINED, "mean", *UNSEEN, "unseen mean", "forgetting"
    ]  # fmt: skip
    assert after.count("**Verdict.**") == 2
    assert "If you want a general model" in after
    assert "half of the answer" not in after
    assert before.count("**Verdict.**") == 1
    assert "half of the answer" in before
    assert "unseen = [" in before
    claims = pd.read_csv(finished[1] / "against_the_paper.csv")
    assert claims.groupby("claim")["on"].apply(list).map(tuple).unique().tolist() == [("trained", "unseen")]


def test_an_unseen_task_is_refused_by_whatever_would_learn_from_it(home) -> None:
    study = declare(load_profile(home / "with.toml"), home / "nowhere", lambda line: None)
    given = study.scored["sorting"]
    assert list(study.tasks) == TRAINED
    assert list(study.scored) == [*TRAINED, *UNSEEN]
    for learn in (lambda: train(tiny_encoder(), given, steps=1), lambda: Probe.sample([given], size=8)):
        with pytest.raises(SpkitError, match='role "unseen" are evaluated only'):
            learn()
    seen = load_tasks(str(home / "tasks.toml"), ["faq"])["faq"].as_unseen()
    assert (seen.role, list(seen.splits)) == ("unseen", ["test"])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("unseen = [", 'unseen = ["faq", '), r"must not be trained on\. Found 'faq' in `unseen` and in `names`"),
        (("unseen = [", 'unseen = ["nobody", '), r"`unseen`: .*'nobody'"),
        (
            ("[sequential]", '[pairs]\ntasks = ["faq", "topic", "likeness", "sorting"]\nsteps = 1'),
            r"\[pairs\].*sorting",
        ),
    ],
)
def test_bad_input(home, change, said) -> None:
    (home / "bad.toml").write_text(WITH_UNSEEN.replace(*change), encoding="utf-8")
    with pytest.raises(SpkitError, match=said):
        declare(load_profile(home / "bad.toml"), home / "nowhere", lambda line: None)


def test_members_of_a_pool_are_scored_in_its_group(home, monkeypatch) -> None:
    tasks = load_tasks(str(home / "tasks.toml"))
    parts = {split: tasks["faq"].splits[split].map(lambda row: {"dataset": "faq"}) for split in ("train", "dev")}
    tasks["pool"] = Task(name="pool", kind="retrieval", role="training", members=("faq", "topic"), **parts)
    monkeypatch.setattr(declared, "check_places", lambda profile: [])  # the file has no such pool
    monkeypatch.setattr(chosen, "load_tasks", lambda source, names=None, folder=None: {n: tasks[n] for n in names})
    text = WITH_UNSEEN.partition("[sequential]")[0].replace('names = ["faq", ', 'names = ["pool", ')
    (home / "pooled.toml").write_text(text, encoding="utf-8")
    study = declare(load_profile(home / "pooled.toml"), home / "nowhere", lambda line: None)
    assert list(study.tasks) == ["pool", "likeness"]
    assert list(study.scored) == ["likeness", "faq", "topic", *UNSEEN]
    run = study.runs[3]
    assert run.groups == {"faq": "pool", "topic": "pool", "pool": "pool", "likeness": "likeness"}
    scoring, unseen = run.nodes["evaluate/joint"], run.nodes["unseen/joint"]
    assert scoring.needs == ("train/joint", "task:likeness", "task:faq", "task:topic")
    assert scoring.config == {"method": "joint", "pools": {"faq": "pool", "topic": "pool"}, "seed": 3}
    assert unseen.needs == ("train/joint", "task:asking", "task:sorting")
    measured = measured_by(run, tiny_encoder(0, WORDS), ["likeness", "faq", "asking"], "tiny")
    assert [(one.task, one.role, one.group) for one in measured] == [
        ("likeness", "trained", ""), ("faq", "trained", "pool"), ("asking", "unseen", "")
    ]  # fmt: skip
    run.makers["own"] = run.makers["slerp"]
    evaluate_stage(run, "own", ["pool"])
    assert run.nodes["evaluate/own"].needs[1:] == ("task:faq", "task:topic")


def test_texts_that_are_trained_on_are_no_unseen_task(home) -> None:
    rows = tiny_tasks((48, 24, 24))["faq"].dev
    rows.select(range(3)).to_json(home / "leak-test.jsonl")
    table = '[tasks.leak]\nkind = "retrieval"\ntest = "leak-test.jsonl"\n'
    (home / "leak.toml").write_text((home / "tasks.toml").read_text(encoding="utf-8") + table, encoding="utf-8")
    text = WITH_UNSEEN.replace('"sorting"]', '"leak"]').replace("tasks.toml", "leak.toml")
    (home / "leaking.toml").write_text(text, encoding="utf-8")
    with pytest.raises(SpkitError, match=r"`unseen`: .*Found 6 of 6 .* 'faq', e\.g\. .*allow_leak = true"):
        declare(load_profile(home / "leaking.toml"), home / "nowhere", lambda line: None)
    (home / "leaking.toml").write_text("allow_leak = true\n" + text, encoding="utf-8")
    with pytest.warns(UserWarning, match="6 of 6 texts of 'leak' in 'faq'"):
        declare(load_profile(home / "leaking.toml"), home / "nowhere", lambda line: None)
