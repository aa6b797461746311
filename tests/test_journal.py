"""A search that was stopped goes on to the last bit, and one that meets a loss that is not finite keeps what it had."""

import json

import pytest
import torch

from spkit import NotFiniteError, Probe, SpkitError, search, self_position
from spkit.searching import journal
from spkit.searching.journal import Journal
from spkit.searching.objective import Objective
from spkit.searching.scores import ProbeScores
from tests.tiny import tiny_tasks

SETTINGS = {"path": "free", "steps": 9, "batch_size": 8, "progress": False, "validate_every": 4}


@pytest.fixture(scope="module")
def probes() -> tuple[Probe, Probe]:
    tasks = tiny_tasks()
    return Probe.sample(tasks, size=96), Probe.sample(tasks, size=48, split="dev")


def no_seconds(result):
    return result.history.drop(columns="seconds")


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "lbfgs"])
@pytest.mark.parametrize("granularity", ["model", "module"])
def test_a_stopped_search_goes_on_as_if_it_had_not_stopped(vectors, probes, tmp_path, optimizer, granularity):
    probe, validation = probes
    given = {**SETTINGS, "optimizer": optimizer, "granularity": granularity, "validation": validation}
    given["start"] = "best_expert"
    alone = self_position(vectors, probe, **given)
    path = tmp_path / "search.jsonl"
    whole = self_position(vectors, probe, journal=path, **given)
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:6]) + lines[6][:20])  # killed while it wrote
    resumed = self_position(vectors, probe, journal=path, **given)
    for other in (whole, resumed):
        assert torch.equal(other.rows, alone.rows)
        assert no_seconds(other).equals(no_seconds(alone))
    assert len(path.read_text().splitlines()) == len(lines)
    assert resumed.history["seconds"].is_monotonic_increasing


def test_a_finished_search_is_read_from_its_journal(vectors, probes, tmp_path, monkeypatch):
    path = tmp_path / "search.jsonl"
    first = self_position(vectors, probes[0], journal=path, **SETTINGS)
    monkeypatch.setattr(Objective, "step", None)
    again = self_position(vectors, probes[0], journal=path, **SETTINGS)
    assert torch.equal(first.rows, again.rows)
    assert again.history.equals(first.history)


def test_a_journal_of_another_search_is_refused(vectors, probes, tmp_path):
    path = tmp_path / "search.jsonl"
    self_position(vectors, probes[0], journal=path, **SETTINGS)
    with pytest.raises(SpkitError, match="with other mu"):
        self_position(vectors, probes[0], journal=path, mu=0.5, **SETTINGS)
    with pytest.raises(SpkitError, match="with other texts"):
        self_position(vectors, _other_texts(probes[0]), journal=path, **SETTINGS)
    path.write_text("no JSON\n")
    with pytest.raises(SpkitError, match="must hold a line of JSON"):
        self_position(vectors, probes[0], journal=path, **SETTINGS)


#: Fourteen evaluations: for CMA-ES two generations of six, beside the average.
BLACK_BOX = {
    "budget": 14,
    "batch_size": 8,
    "progress": False,
    "scale": "gradient",
    "weights": {"faq": 1.0, "topic": 2.0, "likeness": 3.0},
}


@pytest.mark.parametrize("method", ["grid", "random", "tpe", "cma", "gp"])
def test_a_stopped_black_box_search_goes_on_as_if_it_had_not_stopped(vectors, tmp_path, monkeypatch, method):
    probe, two, path = Probe.sample(tiny_tasks(), size=48), vectors.select(["faq", "topic"]), tmp_path / "search.jsonl"
    alone = search(two, probe, method, **BLACK_BOX)
    measured, calls = Objective.task_losses, []

    def counted(self, coefficients):
        calls.append(coefficients)
        if len(calls) == 10:
            raise KeyboardInterrupt
        return measured(self, coefficients)

    monkeypatch.setattr(Objective, "task_losses", counted)
    stopped = search(two, probe, method, journal=path, **BLACK_BOX)
    assert stopped.settings["interrupted"]
    assert len(stopped.history) == 9
    resumed = search(two, probe, method, journal=path, **BLACK_BOX)
    assert not resumed.settings["interrupted"]
    assert len(calls) - 10 == len(alone.history) - 9  # what was recorded is not computed again
    assert torch.equal(resumed.rows, alone.rows)
    assert no_seconds(resumed).equals(no_seconds(alone))
    assert resumed.history["seconds"].is_monotonic_increasing
    monkeypatch.setattr(Objective, "task_losses", lambda self, at: pytest.fail("what was recorded is computed again"))
    again = search(two, probe, method, journal=path, **BLACK_BOX)
    assert again.history.equals(resumed.history)


@pytest.mark.parametrize("method", ["tpe", "cma", "gp"])
def test_a_stopped_search_by_the_score_goes_on_too(vectors, tmp_path, monkeypatch, method):
    """From the best rule, with looks at held-back examples between the evaluations."""
    probe, two, path = Probe.sample(tiny_tasks(), size=48), vectors.select(["faq", "topic"]), tmp_path / "search.jsonl"
    validation = Probe.sample(tiny_tasks(), size=48, split="dev")
    given = {"by": "score", "start": "best_rule", "budget": 20, "validation": validation, "progress": False}
    alone = search(two, probe, method, **given)
    measured, calls = ProbeScores.at, []

    def counted(self, coefficients):
        calls.append(coefficients)
        if len(calls) == 14:
            raise KeyboardInterrupt
        return measured(self, coefficients)

    monkeypatch.setattr(ProbeScores, "at", counted)
    stopped = search(two, probe, method, journal=path, **given)
    assert stopped.settings["interrupted"]
    assert 9 <= len(stopped.history) < 14
    resumed = search(two, probe, method, journal=path, **given)
    assert torch.equal(resumed.rows, alone.rows)
    assert no_seconds(resumed).equals(no_seconds(alone))
    assert resumed.settings["started_at"] == alone.settings["started_at"]
    with pytest.raises(SpkitError, match="with other by"):
        search(two, probe, method, journal=path, **{**given, "by": "loss"})


def test_a_journal_of_another_black_box_search_is_refused(vectors, tmp_path):
    probe, path = Probe.sample(tiny_tasks(), size=24), tmp_path / "search.jsonl"
    given = {"budget": 3, "batch_size": 8, "progress": False, "journal": path}
    search(vectors, probe, "random", **given)
    for change in ({"method": "tpe"}, {"seed": 1}, {"mu": 0.5}, {"budget": 4}, {"bounds": (0.0, 1.0)}):
        with pytest.raises(SpkitError, match=f"with other {next(iter(change))} "):
            search(vectors, probe, **{"method": "random", **given, **change})
    with pytest.raises(SpkitError, match="with other texts"):
        search(vectors, _other_texts(probe), "random", **given)
    with pytest.raises(SpkitError, match="with other gram"):
        search(vectors.trim(0.5), probe, "random", **given)


def test_a_journal_of_other_coefficients_than_those_asked_for_is_refused(vectors, tmp_path):
    """Another version of a library might draw other points from the same seed."""
    probe, path = Probe.sample(tiny_tasks(), size=24), tmp_path / "search.jsonl"
    given = {"budget": 3, "batch_size": 8, "progress": False, "journal": path}
    search(vectors, probe, "random", **given)
    entries = [json.loads(line)["entry"] for line in path.read_text().splitlines()]
    entries[2]["measured"]["coefficients"][0] = 0.125
    path.write_text("".join(journal._line(number, entry) for number, entry in enumerate(entries)))
    with pytest.raises(SpkitError, match=r"what the journal holds.*\[0\.125, .* in evaluation 1, where"):
        search(vectors, probe, "random", **given)


def _other_texts(probe: Probe) -> Probe:
    examples = {name: rows.select(range(len(rows) - 1, -1, -1)) for name, rows in probe.examples.items()}
    return Probe(probe.tasks, examples, probe.split, probe.seed)


@pytest.mark.parametrize("optimizer", ["sgd", "lbfgs"])
def test_the_last_good_position_survives_a_loss_that_is_not_finite(vectors, probes, monkeypatch, optimizer):
    plain, calls = Objective._accumulate, []

    def broken(self, batches, factors):
        totals = plain(self, batches, factors)
        calls.append(1)
        return {**totals, "topic": float("nan")} if len(calls) == 4 else totals

    before = self_position(vectors, probes[0], **SETTINGS, optimizer=optimizer)
    monkeypatch.setattr(Objective, "_accumulate", broken)
    with pytest.raises(NotFiniteError, match=r"Found nan for task 'topic' .*in step 3\. Lower") as caught:
        self_position(vectors, probes[0], **SETTINGS, optimizer=optimizer)
    result = caught.value.result
    assert no_seconds(result).equals(no_seconds(before).iloc[:3])
    assert torch.isfinite(result.rows).all()
    if optimizer == "sgd":
        last = before.history.iloc[2]
        assert result.coefficients.tolist() == pytest.approx([last[f"coefficient:{name}"] for name in vectors.names])


def test_a_gradient_that_is_not_finite_is_named(vectors, probes, monkeypatch):
    plain = Objective._accumulate

    def broken(self, batches, factors):
        totals = plain(self, batches, factors)
        next(p for n, p in self.model.named_parameters() if n.endswith("0.output.dense.bias")).grad[3] = float("inf")
        return totals

    monkeypatch.setattr(Objective, "_accumulate", broken)
    with pytest.raises(NotFiniteError, match=r"parameters '0\.[a-z.]*0\.output\.dense\.bias'.*step 0") as caught:
        self_position(vectors, probes[0], **SETTINGS)
    assert caught.value.result is None


def test_the_journal_is_json_that_others_can_read(vectors, probes, tmp_path):
    path = tmp_path / "search.jsonl"
    self_position(vectors, probes[0], journal=path, **SETTINGS)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [line["line"] for line in lines] == list(range(10))
    header, *rows = [line["entry"] for line in lines]
    assert header["path"] == "free"
    assert len(rows) == 9
    assert set(rows[0]) == {"measured", "seconds", "examples"}
    assert set(rows[0]["measured"]) == {"loss", "task_losses", "gradient"}


def test_best_expert_is_where_the_loss_is_lowest(vectors, probes):
    result = self_position(vectors, probes[0], start="best_expert", **{**SETTINGS, "steps": 1})
    objective = Objective(vectors, probes[0], 8)
    losses = [objective.scaled(objective.task_losses(row[None])) for row in torch.eye(3, dtype=torch.float64)]
    first = result.history.iloc[0][[f"coefficient:{name}" for name in vectors.names]].to_numpy()
    assert first.argmax() == losses.index(min(losses))
    assert first.sum() == first.max() == 1.0


def test_a_search_goes_on_from_a_result_by_module(vectors, probes):
    first = self_position(vectors, probes[0], granularity="module", **SETTINGS)
    second = self_position(vectors, probes[0], granularity="module", start=first.coefficients, **SETTINGS)
    begun = second.history.iloc[0][[f"coefficient:{name}" for name in vectors.names]]
    assert begun.tolist() == pytest.approx(first.rows.mean(0).tolist())
    with pytest.raises(SpkitError, match="A start by module needs a search by module"):
        self_position(vectors, probes[0], start=first.coefficients, **SETTINGS)


@pytest.mark.parametrize("wrong", ["worst", ""])
def test_an_unknown_start_is_refused(no_type_check, vectors, probes, wrong):
    with pytest.raises(SpkitError, match="`start` must be"):
        self_position(vectors, probes[0], start=wrong, **SETTINGS)


def test_the_spread_penalty_keeps_modules_together(vectors, probes):
    given = {**SETTINGS, "granularity": "module", "optimizer": "adam", "steps": 20}
    spread = [
        float((rows - rows.mean(0)).square().sum(1).mean())
        for rows in (
            self_position(vectors, probes[0], spread_penalty=penalty, **given).rows for penalty in (0.0, 0.5, 50.0)
        )
    ]
    assert spread[0] > spread[1] > spread[2]
    assert spread[2] < 0.1 * spread[0]


def test_the_spread_penalty_is_in_the_loss_of_the_history(vectors, probes):
    start = torch.full((len(vectors.modules), 3), 0.3, dtype=torch.float64)
    start[0] = 0.9
    table = dict(zip(vectors.modules, start.tolist(), strict=True))
    given = {**SETTINGS, "granularity": "module", "steps": 1, "mu": 0.0, "start": table}
    plain, penalised = (
        self_position(vectors, probes[0], spread_penalty=penalty, **given).history["loss"][0] for penalty in (0.0, 2.0)
    )
    expected = 2.0 * float((start - start.mean(0)).square().sum(1).mean())
    assert penalised - plain == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("damage", ["bit", "doubled", "missing", "swapped", "former"])
def test_a_journal_that_lies_is_refused(tmp_path, damage):
    path = tmp_path / "search.jsonl"
    first = Journal(path, {"seed": 0})
    for number in range(5):
        first.entry(lambda number=number: {"loss": number + 0.5})
    lines = path.read_text().splitlines(keepends=True)
    if damage == "bit":
        lines[3] = lines[3].replace("2.5", "2.7")
    elif damage == "doubled":
        lines.insert(3, lines[3])
    elif damage == "missing":
        del lines[3]
    elif damage == "swapped":
        lines[2], lines[3] = lines[3], lines[2]
    else:
        lines = ['{"seed": 0}\n', '{"loss": 0.5}\n']
    path.write_text("".join(lines))
    with pytest.raises(SpkitError, match="former version" if damage == "former" else r"Found line \d of .*damaged"):
        Journal(path, {"seed": 0})


def test_two_searches_on_one_journal_end_as_one_alone(vectors, probes, tmp_path):
    """The one that is behind takes what the other has recorded; the file holds each step once."""
    path, alone = tmp_path / "search.jsonl", self_position(vectors, probes[0], **SETTINGS)
    results, plain = [], Objective.step

    def with_another_search_inside(self, rows, number):
        if number == 2 and not results:
            results.append(None)
            results[0] = self_position(vectors, probes[0], journal=path, **SETTINGS)
        return plain(self, rows, number)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Objective, "step", with_another_search_inside)
        results.append(self_position(vectors, probes[0], journal=path, **SETTINGS))
    again = self_position(vectors, probes[0], journal=path, **SETTINGS)
    for result in (*results, again):
        assert torch.equal(result.rows, alone.rows)
        assert no_seconds(result).equals(no_seconds(alone))
    assert len(path.read_text().splitlines()) == 10


def test_a_journal_leaves_no_lock_behind(tmp_path):
    one = Journal(tmp_path / "search.jsonl", {"seed": 0})
    one.entry(lambda: 1)
    assert [path.name for path in tmp_path.iterdir()] == ["search.jsonl"]
