"""A test that is a part of a training file scores only models that were trained on the rest of it."""

import json

import pytest
from typer.testing import CliRunner

import spkit
from spkit.cli import app
from spkit.errors import SpkitError
from spkit.models.kept_apart import check_kept_apart, mark_kept_apart
from spkit.models.kept_apart_notes import MARK, noted
from spkit.tasks.held_out import check_test_tables
from tests.experts import noisy
from tests.tiny import WORDS, tiny_encoder, tiny_tasks


@pytest.fixture(scope="module")
def base():
    return tiny_encoder(words=WORDS)


@pytest.fixture
def place(base, tmp_path, monkeypatch):
    """A folder with a base, a model that was trained elsewhere, and a task with one file."""
    monkeypatch.chdir(tmp_path)
    spkit.save_model(base, "base")
    spkit.save_model(noisy(base, 1), "foreign")
    tiny_tasks()["faq"].train.to_csv("faq.csv")
    write("train")
    return tmp_path


def write(*splits: str) -> None:
    lines = "".join(f'{split} = "faq.csv"\n' for split in splits)
    with open("my.toml", "w", encoding="utf-8") as file:
        file.write(f'[tasks.faq]\nkind = "retrieval"\n{lines}')


def test_what_spkit_trained_is_scored_on_the_part_that_it_kept_apart(place, base) -> None:
    tasks = spkit.load_tasks("my.toml")
    trained = spkit.train(base, tasks, steps=1, batch_size=8, progress=False)
    spkit.save_model(trained, "ours")
    check_kept_apart(["ours", "minilm-l3"], tasks.values())
    with pytest.raises(SpkitError, match=r"Found no `test` for 'faq'"):
        check_kept_apart(["ours", "foreign"], tasks.values())
    saved = json.loads((place / "ours" / "config.json").read_text(encoding="utf-8"))
    assert list(saved["_spkit_kept_apart"]) == ["faq"]
    other = tiny_tasks()["faq"]  # under its name, but other examples
    spkit.save_model(spkit.train(base, other, steps=1, batch_size=8, progress=False), "other")
    with pytest.raises(SpkitError, match="'faq'"):
        check_kept_apart(["other"], tasks.values())
    likeness = spkit.train(base, tiny_tasks()["likeness"], steps=1, batch_size=8, progress=False)
    spkit.save_model(likeness, "likeness")
    check_kept_apart(["likeness"], tasks.values())
    for name, experts in (("clean", ["ours", "likeness"]), ("unclean", ["ours", "foreign"])):
        spkit.save_model(spkit.merge("base", {one: one for one in experts}, "average"), name)
    check_kept_apart(["clean"], tasks.values())
    with pytest.raises(SpkitError, match="'faq'"):
        check_kept_apart(["unclean"], tasks.values())


def test_an_earlier_training_is_remembered(base) -> None:
    model, tasks = noisy(base, 2), tiny_tasks()
    mark_kept_apart(model, [tasks["faq"]])
    mark_kept_apart(model, [tasks["likeness"]])
    assert list(model[0].model.config._spkit_kept_apart) == ["faq", "likeness"]


@pytest.mark.parametrize("call", [["evaluate", "foreign"], ["compare", "base", "foreign"]])
def test_commands_refuse_and_ask_for_a_test(place, call) -> None:
    said = CliRunner().invoke(app, [*call, "--tasks", "my.toml"])
    assert isinstance(said.exception, SpkitError)
    assert "Found no `test` for 'faq': it would be a part of the file they train on." in str(said.exception)
    write("test")
    done = CliRunner().invoke(app, [*call, "--tasks", "my.toml"], catch_exceptions=False)
    assert done.exit_code == 0


@pytest.mark.parametrize(
    ("table", "refused"),
    [
        ({"kind": "sts", "train": "a.csv"}, True),
        ({"kind": "sts", "train": "train", "hub": "owner/name"}, True),
        ({"kind": "sts", "train": "a.csv", "test": "b.csv"}, False),
        ({"kind": "sts", "test": "b.csv"}, False),
        ({"kind": "sts", "train": "a.csv", "role": "training"}, False),
        ({"bundled": True}, False),
        ({"pool": ["a"]}, False),
    ],
)
def test_a_task_file_is_refused_before_its_data_is_read(table, refused) -> None:
    if not refused:
        check_test_tables({"a": table})
        return
    with pytest.raises(SpkitError, match=r"Found no `test` for 'a'"):
        check_test_tables({"a": table})


def noting(folder, note=None, experts=None) -> str:
    """A folder with what a model's says, and no model."""
    folder.mkdir()
    config = {} if note is None else {MARK: note}
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    if experts is not None:
        (folder / "recipe.json").write_text(json.dumps({"experts": experts}), encoding="utf-8")
    return str(folder)


def test_a_merge_knows_what_all_its_models_know(tmp_path) -> None:
    faq, sts = noting(tmp_path / "faq", {"faq": "a"}), noting(tmp_path / "sts", {"sts": "b"})
    foreign = noting(tmp_path / "foreign")
    assert noted(noting(tmp_path / "both", None, {"faq": faq, "sts": sts})) == {"faq": "a", "sts": "b"}
    assert noted(noting(tmp_path / "deep", {"x": "c"}, {"m": str(tmp_path / "both")})) == {
        "x": "c", "faq": "a", "sts": "b"
    }  # fmt: skip
    assert noted(noting(tmp_path / "mixed", {"faq": "a"}, {"faq": faq, "other": foreign})) is None
    assert noted(noting(tmp_path / "memory", None, {"faq": None})) is None
    over = noting(tmp_path / "over", None, {"faq": faq, "itself": str(tmp_path / "over")})
    assert noted(over) is None
    assert noted("minilm-l3") == {}
    assert noted(tmp_path / "nothing") is None
