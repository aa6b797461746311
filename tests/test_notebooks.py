"""The notebooks run on tiny results, are paired with their scripts, and are committed without outputs."""

import base64
import io
import json
import re
import runpy
from pathlib import Path
from typing import Any

import nbformat
import pytest
from PIL import Image

from tests.notebooks import RENDERED, cells, run, scripts, small, still
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
            "steps=24, batch_size=16": "steps=2, batch_size=8",
            "budget=10": "budget=3",
            "points=24": "points=8",
        }
    own: dict[str, dict[str, str]] = {
        "02_task_conflict": {
            BASE: base,
            _bundled("chat", "similarity"): _tasks(home, "faq", "likeness"),
            "batches=8, batch_size=16": "batches=4, batch_size=8",
        },
        "03_data_imbalance": {BUNDLED: _tasks(home, *NAMES), BASE: base},
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
        "11_the_paper": {
            'sts, retrieval = "similarity", "headline"': 'sts, retrieval = "likeness", "faq"',
            'spkit.load_tasks("bundled", names=[sts, retrieval])': _tasks(home, "likeness", "faq"),
            "size=64": "size=32",
            "size=128": "size=32",
            "Objective(pair, probe, 16)": "Objective(pair, probe, 8)",
            '"steps": 16, "batch_size": 16': '"steps": 2, "batch_size": 8',
        },
    }
    replaced = {"spkit.open_results()": f'spkit.open_results("{home / "run"}")', **own.get(name, {})}
    if name[:2] in ("01", "04", "05", "06", "11"):
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


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_a_rendered_copy_is_of_the_notebook_as_it_stands(script: Path):
    """Where this fails, `make notebooks ARGS="--publish NAME"` renders it again."""
    path = RENDERED / f"{script.stem}.ipynb"
    if not path.is_file():
        pytest.skip("It has no rendered copy: the site shows it without outputs.")
    text = path.read_text(encoding="utf-8")
    copy = json.loads(text)
    assert [(cell["cell_type"], "".join(cell["source"])) for cell in copy["cells"]] == cells(script)
    assert any(cell.get("outputs") for cell in copy["cells"])
    assert not any(output["output_type"] == "error" for cell in copy["cells"] for output in cell.get("outputs", []))
    assert not re.search(r"(?<![\w.])/(home|root|work|tmp|Users)/", text)  # no path of a machine
    assert "widget-view" not in text
    assert len(text) < 1_500_000


def test_a_still_copy_has_pictures_in_place_of_widgets_and_is_small():
    picture = noisy(2000, 500)
    widget = {"application/vnd.jupyter.widget-view+json": {"model_id": "1"}}
    outputs = [
        nbformat.v4.new_output("display_data", dict(widget)),  # a progress bar
        nbformat.v4.new_output(
            "display_data",
            {"text/html": f'<div><img src="data:image/png;base64,{picture}"></div>', "image/png": picture},
            metadata={"image/png": {"alt": "A line that falls."}},
        ),
        nbformat.v4.new_output("display_data", {"text/html": f'<img src="data:image/png;base64,{picture}">'}),
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("x", outputs=outputs)])
    shown, words, figure = small(still(notebook)).cells[0].outputs
    assert set(shown.data) == {"image/png"}
    assert len(shown.data["image/png"]) < len(picture) / 2
    assert words.data == {"text/markdown": "A line that falls."}
    assert picture not in figure.data["text/html"]
    assert Image.open(io.BytesIO(base64.b64decode(shown.data["image/png"]))).width == 1100


@pytest.mark.slow
@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_a_notebook_runs(script: Path, tiny_study: Path, tmp_path: Path):
    _, stderr = run(script, substitutions(script.stem, tiny_study), tmp_path, SECONDS_PER_CELL)
    assert stderr == ""


def test_a_substitution_that_fits_nowhere_is_an_error(tmp_path: Path):
    with pytest.raises(ValueError, match=r"no .spkit\.lost"):
        run(SCRIPTS[0], {"spkit.lost()": ""}, tmp_path, SECONDS_PER_CELL)


def noisy(width: int = 40, height: int = 10) -> str:
    """A picture as a notebook's output holds it."""
    written = io.BytesIO()
    Image.effect_noise((width, height), 60).save(written, format="PNG")
    return base64.b64encode(written.getvalue()).decode()


def test_a_page_shows_the_outputs_of_a_copy_that_is_of_the_notebook_as_it_stands(tmp_path: Path):
    hook = runpy.run_path(str(RENDERED.parent.parent / "docs" / "hooks" / "tutorial.py"))
    bare = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1 + 1")])
    nbformat.write(bare, tmp_path / "mine.ipynb")
    copy: Any = nbformat.from_dict(bare)
    picture = nbformat.v4.new_output(
        "display_data", {"image/png": noisy()}, metadata={"image/png": {"alt": 'A "line"', "width": 700}}
    )
    figure = f'<style scoped>\n\n</style><img src="data:image/png;base64,{noisy()}">'
    copy.cells[0].outputs = [picture, nbformat.v4.new_output("display_data", {"text/html": figure})]
    (tmp_path / "rendered").mkdir()
    nbformat.write(copy, tmp_path / "rendered" / "mine.ipynb")
    shown = hook["_rendered"](tmp_path / "mine.ipynb")
    pictures = hook["_pictures"](shown, "mine")
    assert list(pictures) == ["mine/00.png", "mine/01.png"]
    assert all(one.startswith(b"\x89PNG") for one in pictures.values())
    first, second = (output.data["text/html"] for output in shown.cells[0].outputs)
    assert 'src="mine/00.png"' in first
    assert 'alt="A &quot;line&quot;"' in first
    assert second == '<img src="mine/01.png">'
    bare.cells[0].source = "1 + 2"  # changed since
    nbformat.write(bare, tmp_path / "mine.ipynb")
    assert not hook["_rendered"](tmp_path / "mine.ipynb").cells[0].outputs
