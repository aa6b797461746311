"""The notebooks run on tiny results, are paired with their scripts, and are committed without outputs."""

import json
from pathlib import Path

import pytest

from tests.notebooks import cells, run, scripts
from tests.tiny_study import NAMES

SCRIPTS = scripts()
SECONDS_PER_CELL = 120

BASE, BUNDLED = 'spkit.load_base("minilm-l3", max_seq_length=32)', 'spkit.load_tasks("bundled")'


def substitutions(name: str, home: Path) -> dict[str, str]:
    """What a notebook's code says instead, so that it runs on the tiny study."""
    base = f'spkit.load_base("{home / "base"}")'
    if name == "10_your_own_models_and_data":  # which brings its own data
        return {
            'spkit.load_base("minilm-l3", max_seq_length=24)': base,
            "steps=12, batch_size=16": "steps=2, batch_size=8",
            "steps=10, batch_size=16": "steps=2, batch_size=8",
            "points=24": "points=8",
        }
    own: dict[str, dict[str, str]] = {
        "02_task_conflict": {
            BASE: base,
            _bundled("chat", "similarity"): _tasks(home, "faq", "likeness"),
            "batches=8, batch_size=16": "batches=4, batch_size=8",
        },
        "03_data_imbalance": {BUNDLED: _tasks(home, *NAMES), BASE: base, "batches=8": "batches=4, batch_size=8"},
        "06_self_positioning": {
            'spkit.load_tasks("bundled", names=list(vectors.names))': _tasks(home, *NAMES),
            "size=256": "size=64",
            "steps=20, batch_size=16": "steps=3, batch_size=8",
        },
        "07_exploring_the_space": {
            "spkit.explore_study(results.run())": f"spkit.explore_study(results.run(3), {_tasks(home)}, "
            "seed=3, points=8, examples=16)"
        },
        "08_resampling_and_cost": {_bundled("chat"): _tasks(home, "faq"), BASE: base},
        "09_sequential_pipeline": {
            _bundled("similarity", "chat"): _tasks(home, "likeness", "faq"),
            BASE: base,
            'tasks["similarity"]': 'tasks["likeness"]',
            'tasks["chat"]': 'tasks["faq"]',
            "steps=16": "steps=2, batch_size=8",
        },
    }
    replaced = {"spkit.open_results()": f'spkit.open_results("{home / "run"}")', **own.get(name, {})}
    if name[:2] in ("01", "04", "05", "06"):
        replaced["results.vectors()"] = "results.vectors(3)"
    return replaced


def _bundled(*names: str) -> str:
    return f'spkit.load_tasks("bundled", names=[{", ".join(f"{chr(34)}{name}{chr(34)}" for name in names)}])'


def _tasks(home: Path, *names: str) -> str:
    return f'spkit.load_tasks("{home / "tasks.toml"}", {list(names) or None}, folder="{home / "data"}")'


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_a_notebook_says_what_its_script_says_and_holds_no_outputs(script: Path):
    notebook = json.loads(script.with_suffix(".ipynb").read_text(encoding="utf-8"))
    assert [(cell["cell_type"], "".join(cell["source"])) for cell in notebook["cells"]] == cells(script)
    assert not any(cell.get("outputs") or cell.get("execution_count") for cell in notebook["cells"])
    assert len(notebook["cells"]) <= 25


@pytest.mark.slow
@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_a_notebook_runs(script: Path, tiny_study: Path, tmp_path: Path):
    _, stderr = run(script, substitutions(script.stem, tiny_study), tmp_path, SECONDS_PER_CELL)
    assert stderr == ""


def test_a_substitution_that_fits_nowhere_is_an_error(tmp_path: Path):
    with pytest.raises(ValueError, match=r"no .spkit\.lost"):
        run(SCRIPTS[0], {"spkit.lost()": ""}, tmp_path, SECONDS_PER_CELL)
