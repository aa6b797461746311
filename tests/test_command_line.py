"""The command line: help and errors come at once, in one line, before anything heavy is imported."""

import json
import os
import subprocess
import sys
import warnings

import pytest
import typer

from spkit import __version__, cli
from spkit.cli import app
from spkit.study.analyses import analysis_names

#: By name, as the command line has them.
COMMANDS = getattr(typer.main.get_command(app), "commands")  # noqa: B009 (no attribute that a type checker knows)

#: Lines of a screen, at 100 columns.
SCREEN = 42

#: What takes from a third of a second to some seconds to import.
HEAVY = {
    "torch",
    "transformers",
    "sentence_transformers",
    "mteb",
    "datasets",
    "pandas",
    "scipy",
    "sklearn",
    "matplotlib",
}

#: Prints what a command said, its exit status, and which heavy packages it imported.
PROBE = """
import contextlib, io, json, sys
from spkit import cli
said, status = (io.StringIO(), io.StringIO()), None
sys.argv = ["spkit", *sys.argv[1:]]
with contextlib.redirect_stdout(said[0]), contextlib.redirect_stderr(said[1]):
    try:
        cli.main()
    except SystemExit as ended:
        status = ended.code
packages = {name.partition(".")[0] for name in sys.modules}
print(json.dumps([said[0].getvalue(), said[1].getvalue(), status, sorted(packages)]))
"""


def run(arguments, folder) -> tuple[str, str, int, set[str]]:
    """What a command writes to stdout and stderr in a process of its own, its status, and what it imported."""
    command = [sys.executable, "-c", PROBE, *arguments]
    wide = {**os.environ, "COLUMNS": "100"}
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder, check=True, env=wide)
    out, err, status, packages = json.loads(done.stdout.splitlines()[-1])
    return out, err, status, set(packages)


def test_options_that_count_by_the_loss_alone_say_so() -> None:
    """`spkit search` takes no scale and makes no batches by the score; `spkit position` knows only the loss."""
    said = {name: {one.name: one.help for one in COMMANDS[name].params} for name in ("search", "position")}
    by_the_loss = {name for name, about in said["search"].items() if about.startswith("By the loss: ")}
    assert by_the_loss == {"batch_size", "scale"}
    assert not any("by the loss" in about.lower() for about in said["position"].values())


@pytest.mark.parametrize("arguments", [[], ["--help"], ["--version"], *([name, "--help"] for name in COMMANDS)])
def test_help_imports_nothing_heavy(arguments, tmp_path) -> None:
    out, err, status, packages = run(arguments, tmp_path)
    assert (status, err) == (0, "")
    assert not packages & {*HEAVY, "numpy", "rich"}
    assert len(out.splitlines()) <= SCREEN
    assert max(map(len, out.splitlines())) <= 100
    if arguments == ["--version"]:
        assert out.strip() == f"spkit {__version__}"
    elif len(arguments) < 2:
        assert all(f"  {name} " in out for name in COMMANDS)
        assert "..." not in out.partition("Start here:")[2]  # the first sentence of each fits in its line
    else:
        assert "--output" in out


#: Wrong usage, and what the error must say.
WRONG = [
    (["postion"], "No such command 'postion'. Did you mean 'position'? See `spkit --help`."),
    (["position", "--vectros", "v"], "No such option: --vectros"),
    (["position", "-o", "x"], "Missing option '--vectors'. See `spkit position --help`."),
    (["study"], "Missing argument 'profile'"),
    (["train", "--steps", "ten", "-o", "x"], "'--steps'"),
    (["position", "--vectors", "v", "--path", "straight", "-o", "x"], "'slerp', 'simplex', 'free'"),
    (["position", "--vectors", "v", "--optimizer", "adem", "-o", "x"], "'adem' is not one of 'sgd', 'adam', 'lbfgs'"),
    (["sweep", "--vectors", "v", "--over", "lenght", "-o", "x"], "'direction', 'length', 'mu', 'probe_size'"),
    (["study", "dmeo"], "Found 'dmeo'"),
    (["study", "no.toml"], "Found no file no.toml"),
    (["study", "demo", "--seeds", "one"], "numbers separated by commas"),
    (["study", "demo", "--base", "./nothing"], "there is no such folder"),
    (["train", "--task", "nonsense", "--steps", "1", "-o", "x"], "'nonsense'"),
    (["train", "--task", "my-own", "--steps", "1", "-o", "x"], "--tasks my_tasks.toml"),
    (["train", "--tasks", "no.toml", "--steps", "1", "-o", "x"], "Could not read 'no.toml'"),
    (["train", "--tasks", "lacks.toml", "--steps", "1", "-o", "x"], "Found no 'faq.csv'"),
    (["train", "--tasks", "lacks.toml", "--task", "fap", "--steps", "1", "-o", "x"], "Did you mean 'faq'?"),
    (["train", "--base", "minilm-l2", "--steps", "1", "-o", "x"], "bundled are 'minilm-l6', 'minilm-l3'"),
    (["train", "--sampling", "topic=much,chat=1", "--steps", "1", "-o", "x"], "Shares must be numbers"),
    (["train", "--order", "sequential", "--conflict-every", "2", "--steps", "1", "-o", "x"], "one joint training"),
    (["train", "-o", "x"], "Pass one, for example `--steps 80`"),
    (["train", "--steps", "1", "--epochs", "1", "-o", "x"], "Found both"),
    (["train", "--steps", "0", "-o", "x"], "Invalid value for '--steps'"),
    (["merge", "--expert", "faq", "-o", "x"], "`--expert` must be NAME=VALUE"),
    (["merge", "--expert", "faq=./nothing", "-o", "x"], "there is no such folder"),
    (["merge", "--expert", "faq=faq", "--method", "tiess", "-o", "x"], "'ties'"),
    (["vectors", "--expert", "a=a", "--expert", "a=b", "-o", "x"], "Experts must have different names"),
    (["position", "--vectors", "nothing", "-o", "x"], "Found no nothing/vectors.safetensors"),
    (["search", "--vectors", "v", "--by", "rank", "-o", "x"], "'rank' is not one of 'loss', 'score'"),
    (["search", "--vectors", "v", "--method", "cmaes", "-o", "x"], "'grid', 'random', 'tpe', 'cma', 'gp'"),
    (["search", "--vectors", "v", "--scale", "gap", "-o", "x"], "`scale` belongs to a search by the loss"),
    (["search", "--vectors", "v", "--bounds", "1", "nan", "-o", "x"], "`bounds` must be a lower and a higher number"),
    (["search", "--vectors", "nothing", "-o", "x"], "Found no nothing/vectors.safetensors"),
    (["sweep", "--vectors", "nothing", "--over", "mu", "-o", "x"], "Found no nothing/vectors.safetensors"),
    (["sweep", "--vectors", "v", "--over", "mu", "--mark", "m", "-o", "x"], "Found no v/vectors.safetensors"),
    (["imbalance", "--vectors", "nothing", "-o", "x"], "Found no nothing/vectors.safetensors"),
    (["imbalance", "--joint", "x", "-o", "y"], "Pass --vectors too"),
    (["conflict", "--base", "no/such/folder", "-o", "x"], "there is no such folder"),
    (["evaluate", "./no-such-folder"], "there is no such folder"),
    (["figures", "--results", "nothing"], "Found no folder 'nothing'"),
    (["figures", "--study", "paer"], "Found 'paer'. There is 'paper'"),
    (["figures", "--study", "paper"], "Found no folder 'data/results/paper'"),
    (["init", "nothing.csv"], "Found no 'nothing.csv'"),
    (["init", "answers.docx"], "A data file must end in .csv"),
    (["init", "lacks.toml"], "A data file must end in .csv"),
    (["init", "x.csv", "-o", "tasks.txt"], "A task file must end in .toml"),
    (["best"], "Missing option '--model'"),
    (["best", "--model", "faq"], "`--model` must be NAME=VALUE."),
    (["best", "--model", "ties=minilm-l6"], "Found 'ties'"),
    (["best", "--model", "faq=./no-such-folder"], "there is no such folder"),
    (["best", "--model", "faq=minilm-l6", "--tasks", "no.toml"], "Could not read 'no.toml'"),
    (["explore", "nothing"], "Found none in nothing/seed0/vectors/vectors"),
    (["explore", "--vectors", "nothing"], "Found no nothing/vectors.safetensors"),
]


@pytest.mark.parametrize(("arguments", "message"), WRONG, ids=[" ".join(arguments) for arguments, _ in WRONG])
def test_wrong_usage_is_one_line_at_once_with_exit_status_2(arguments, message, tmp_path) -> None:
    (tmp_path / "lacks.toml").write_text('[tasks.faq]\nkind = "retrieval"\ntrain = "faq.csv"\n')
    out, err, status, packages = run(arguments, tmp_path)
    assert (out, status) == ("", 2)
    (line,) = err.splitlines()
    assert line.startswith("Error: ")
    assert message in line
    assert not packages & HEAVY
    assert [path.name for path in tmp_path.iterdir()] == ["lacks.toml"]  # nothing was begun


def test_a_wrong_key_in_any_table_of_a_profile_is_refused_at_once(tmp_path) -> None:
    wrong = "".join(f"[{name}]\nnonsense = 1\n" for name in analysis_names())
    profile = 'base = "minilm-l3"\ntasks = ["headline", "chat"]\n[training]\nsteps = 1\n' + wrong
    (tmp_path / "mine.toml").write_text(profile)
    out, err, status, packages = run(["study", "mine.toml"], tmp_path)
    assert (out, status) == ("", 2)
    assert all(f"Found `{name}.nonsense`" in err for name in analysis_names())
    assert "torch" not in packages
    assert not packages & HEAVY


@pytest.mark.parametrize(
    "arguments",
    [
        ["train", "--steps", "1"],
        ["vectors", "--expert", "faq=faq"],
        ["merge", "--expert", "faq=faq"],
        ["position", "--vectors", "vectors"],
        ["search", "--vectors", "vectors"],
    ],
    ids=lambda arguments: arguments[0],
)
def test_a_folder_of_something_else_is_refused_before_the_work(arguments, tmp_path) -> None:
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "mine.txt").write_text("keep")
    # None of the models that the arguments name is there: the work cannot begin.
    out, err, status, packages = run([*arguments, "--output", "notes"], tmp_path)
    assert (out, status) == ("", 2)
    assert "notes with '" in err
    assert not packages & HEAVY
    assert [path.name for path in tmp_path.iterdir()] == ["notes"]


def end(monkeypatch, capsys, *arguments: str) -> tuple[object, str]:
    """Exit status and stderr of a command in this process."""
    monkeypatch.setattr(sys, "argv", ["spkit", *arguments])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    said = capsys.readouterr()
    assert said.out == ""
    return ended.value.code, said.err


def test_work_that_fails_ends_in_one_line_with_exit_status_1(tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    # It may be the id of a model on the hub: only loading it shows.
    status, said = end(monkeypatch, capsys, "evaluate", "no/such-model-here")
    assert status == 1
    assert "could not be loaded" in said
    assert len(said.splitlines()) == 1


def test_a_missing_package_is_no_wrong_usage(tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("spkit._extras.find_spec", lambda name: None)
    for arguments in (["demo"], ["study", "demo"], ["evaluate", "minilm-l3"]):
        status, said = end(monkeypatch, capsys, *arguments)
        assert status == 1
        assert "pip install" in said
    assert list(tmp_path.iterdir()) == []


def test_a_warning_of_a_command_is_one_line(monkeypatch, capsys) -> None:
    monkeypatch.setattr(cli, "app", lambda *_, **__: warnings.warn("Some\nthing.", UserWarning, stacklevel=1))
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        with pytest.raises(SystemExit) as ended:
            cli.main()
    assert ended.value.code == 0
    assert capsys.readouterr().err == "Warning: Some thing.\n"


def test_the_commands_are_there() -> None:
    assert set(COMMANDS) >= {
        "demo", "study", "train", "vectors", "conflict", "imbalance", "merge", "position", "search", "sweep",
        "evaluate", "figures", "explore", "init", "compare", "best",
    }  # fmt: skip


#: Commands that print no table of their own: they train, draw, open a page, or print a summary.
WITHOUT_TABLE = {"train", "demo", "figures", "explore"}


def test_what_prints_a_table_can_print_json() -> None:
    commands = getattr(typer.main.get_command(app), "commands")  # noqa: B009
    with_json = {name for name, one in commands.items() if any(param.name == "as_json" for param in one.params)}
    assert set(COMMANDS) - with_json <= WITHOUT_TABLE


def test_common_options_stand_first_and_the_others_in_sections(tmp_path) -> None:
    out, *_ = run(["train", "--help"], tmp_path)
    places = [out.index(words) for words in ("\nOptions:", "--steps", "\nSeveral tasks:", "--mixing", "--dtype")]
    assert places == sorted(places)
    assert "<=x<=" not in out


def test_a_task_file_is_made_without_torch(tmp_path) -> None:
    rows = "".join(f"how is thing {n}?,it is {n} times as good\n" for n in range(60))
    (tmp_path / "faq.csv").write_text("question,answer\n" + rows)
    out, err, status, packages = run(["init", "faq.csv", "-o", "tasks.toml"], tmp_path)
    assert (status, err) == (0, "")
    assert "torch" not in packages
    assert out.splitlines()[-3:] == [
        "Task file: tasks.toml",
        "Next: spkit imbalance --tasks tasks.toml -o runs/imbalance",
        "1 task: faq (retrieval). Read the lines that say 'guessed'.",
    ]
    out, err, status, _ = run(["init", "faq.csv", "-o", "tasks.toml", "--json"], tmp_path)
    said = json.loads(out)
    assert said["written"] == {"Task file": "tasks.toml"}
    assert {row["split"] for row in said["tables"]["tasks"]} == {"train", "dev", "test"}
    (tmp_path / "tasks.toml").write_text("# mine\n")
    out, err, status, _ = run(["init", "faq.csv", "-o", "tasks.toml"], tmp_path)
    assert (out, status) == ("", 2)
    assert "changed since" in err
