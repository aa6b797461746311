"""The notebooks run on the published results, are paired with their scripts, and are committed without outputs."""

import json
from pathlib import Path

import pytest

NOTEBOOKS = Path(__file__).parent.parent / "notebooks"
SCRIPTS = sorted(NOTEBOOKS.glob("*.py"))


def cells(script: Path) -> list[tuple[str, str]]:
    """Kind and text of each cell of a py:percent script."""
    parts = script.read_text(encoding="utf-8").split("\n# %%")[1:]
    found = []
    for part in parts:
        first, _, body = part.partition("\n")
        if "[markdown]" in first:
            lines = [line.removeprefix("#").removeprefix(" ") for line in body.strip().splitlines()]
            found.append(("markdown", "\n".join(lines)))
        else:
            found.append(("code", body.strip()))
    return found


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_a_notebook_says_what_its_script_says_and_holds_no_outputs(script: Path):
    notebook = json.loads(script.with_suffix(".ipynb").read_text(encoding="utf-8"))
    assert [(cell["cell_type"], "".join(cell["source"])) for cell in notebook["cells"]] == cells(script)
    assert not any(cell.get("outputs") or cell.get("execution_count") for cell in notebook["cells"])
    assert len(notebook["cells"]) <= 25


@pytest.mark.slow
@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_a_notebook_runs(script: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(NOTEBOOKS)
    scope: dict[str, object] = {"display": print}
    for number, (kind, text) in enumerate(cells(script)):
        if kind == "code":
            exec(compile(text, f"{script.name}, cell {number}", "exec"), scope)
