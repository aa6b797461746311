"""What commands hand on to the functions that they stand around; the functions themselves have tests of their own."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from typer.testing import CliRunner

from spkit import environment
from spkit._lazy import loaded_on_use
from spkit.cli import app
from spkit.cli.options import base_of, json_of, pair, sampling_of, say_replaced
from spkit.errors import SpkitError
from spkit.study.analyses import check_names

ROOT = Path(__file__).parent.parent
DEMO = ROOT / "data" / "results" / "demo"


@pytest.fixture
def studied(monkeypatch) -> dict[str, Any]:
    """The study that a command runs."""
    given: dict[str, Any] = {}

    def run_study(profile, output, say, **engine):
        given.update(profile=profile, output=output, engine=engine)
        say("a stage")
        Path(output).mkdir(parents=True, exist_ok=True)
        (Path(output) / "summary.md").write_text("What was found.", encoding="utf-8")
        return Path(output)

    monkeypatch.setattr("spkit.figures.studies.run_study", run_study)
    monkeypatch.setattr("spkit.study.run.publish", lambda root, folder: given.update(published=(root, folder)))
    return given


def invoke(*arguments: str) -> str:
    done = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def test_the_demo_is_the_study_of_its_profile_at_a_seed(studied, tmp_path) -> None:
    said = invoke("demo", "-o", str(tmp_path / "run"), "--seed", "4")
    assert (studied["profile"].name, studied["profile"].seeds) == ("demo", (4,))
    assert studied["output"] == tmp_path / "run"
    assert "a stage" in said
    assert "What was found." in said


def test_options_of_a_study_stand_in_place_of_its_profiles(studied, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    said = invoke(
        "study", "tour", "--base", "minilm-l6", "--seeds", "3,5", "--analyses", "pairs,sweeps", "--publish", "kept"
    )
    profile = studied["profile"]
    assert (profile.base, profile.seeds) == ("minilm-l6", (3, 5))
    assert [name for name, settings in profile.analyses.items() if settings] == ["pairs", "sweeps"]
    assert studied["output"] == Path("runs/tour")
    assert studied["published"] == (Path("runs/tour"), Path("kept"))
    assert "Result files and records: kept" in said
    invoke("study", "tour", "--analyses", "none", "--data", "rows", "-o", "elsewhere")
    assert not any(studied["profile"].analyses.values())
    assert studied["output"] == Path("elsewhere")


def test_a_study_is_planned_or_given_to_workers(studied, monkeypatch) -> None:
    table = pd.DataFrame(
        [{"stage": "seed0/a", "needs": "base", "state": "to do", "seconds": 3.0, "source": "a record"}]
    )
    planned: list[Path] = []
    monkeypatch.setattr("spkit.study.plan.plan", lambda profile, folder: planned.append(folder) or table)
    assert "0 of 1 stages are done" in invoke("study", "demo", "--plan", "-o", "elsewhere")
    assert planned == [Path("elsewhere")]
    content = json.loads(invoke("study", "demo", "--plan", "-o", "elsewhere", "--json"))
    assert content["tables"]["plan"] == table.to_dict("records")
    assert not studied
    invoke("study", "demo", "--workers", "3")
    assert studied["engine"] == {"workers": 3, "cluster": None}
    invoke("study", "demo", "--cluster", "tcp://10.0.0.1:8786")
    assert studied["engine"] == {"workers": 1, "cluster": "tcp://10.0.0.1:8786"}


def test_an_unknown_analysis_is_refused_with_the_nearest() -> None:
    with pytest.raises(SpkitError, match=r"Found 'angels'\. Did you mean 'angles'"):
        check_names(["pairs", "angels"])


def test_figures_are_listed_drawn_and_checked(tmp_path, monkeypatch) -> None:
    assert "methods" in invoke("figures", "--list").splitlines()
    drawn = invoke("figures", "--results", str(DEMO), "-o", str(tmp_path), "--only", "methods")
    assert str(tmp_path / "methods.pdf") in drawn
    check = ("figures", "--results", str(DEMO), "-o", str(tmp_path), "--only", "methods", "--check")
    assert "All figures are up to date." in invoke(*check)
    (tmp_path / "methods.csv").write_text("changed", encoding="utf-8")
    done = CliRunner().invoke(app, list(check), catch_exceptions=False)
    assert done.exit_code == 1
    assert "methods" in done.output


def test_methods_are_listed_with_their_parameters() -> None:
    said = invoke("merge", "--list")
    assert "ties: " in said
    assert "density" in said
    for order in (["--list", "--json"], ["--json", "--list"]):
        listed = {one["name"]: one for one in json.loads(invoke("merge", *order))["tables"]["methods"]}
        assert any(parameter.startswith("density") for parameter in listed["ties"]["parameters"])


def test_a_sampling_is_a_name_a_temperature_or_shares() -> None:
    assert sampling_of("uniform") == "uniform"
    assert sampling_of("2.5") == 2.5
    assert sampling_of("faq=3, sts=1") == {"faq": 3.0, "sts": 1.0}
    with pytest.raises(SpkitError, match="Shares must be numbers"):
        sampling_of("faq=much")
    with pytest.raises(SpkitError, match="must be NAME=VALUE"):
        pair("faq=", "--sampling")


def test_a_value_is_read_as_json_where_it_is_some() -> None:
    assert json_of("[1, 2]") == [1, 2]
    assert json_of("0.3") == 0.3
    assert json_of("tensor") == "tensor"


def test_a_base_of_another_length_is_loaded() -> None:
    assert base_of("minilm-l3", None) == "minilm-l3"
    assert base_of("minilm-l3", 17).max_seq_length == 17


def test_what_will_be_replaced_is_said_before(tmp_path, capsys) -> None:
    say_replaced(tmp_path)
    assert capsys.readouterr().err == ""
    (tmp_path / "model.json").write_text("{}", encoding="utf-8")
    say_replaced(tmp_path)
    assert "is there already; it will be replaced" in capsys.readouterr().err


def test_a_machine_is_named_by_its_device(monkeypatch) -> None:
    given = {"name": "cpu"}
    monkeypatch.setattr("sentence_transformers.util.get_device_name", lambda: given["name"])
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: f"card of {device}")
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    monkeypatch.setattr(environment, "processor", lambda: "Processor")
    assert environment.machine() == "Processor, 1 thread"
    for given["name"], said in (("cuda:0", "card of cuda:0"), ("mps", "mps")):
        assert environment.machine() == said


def test_a_missing_package_behind_a_public_name_is_said_with_its_extra(monkeypatch) -> None:
    missing = ModuleNotFoundError("No module named 'cma.evolution'", name="cma.evolution")

    def fails(name: str) -> Any:
        raise missing

    load = loaded_on_use("spkit", {"search": "searching.black_box"})
    monkeypatch.setattr("spkit._lazy.import_module", fails)
    with pytest.raises(SpkitError, match=r"`search` needs the package cma.*spkit\[search\]"):
        load("search")
    missing.name = "unheard_of"  # of no extra: whatever it is, the error says it
    with pytest.raises(ModuleNotFoundError, match=r"cma\.evolution"):
        load("search")
    with pytest.raises(AttributeError, match=r"has no attribute 'serch'\. It has search"):
        load("serch")
