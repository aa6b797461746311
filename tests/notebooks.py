"""Runs the notebooks: in the tests on tiny results, and by `make notebooks` on real ones, as rendered copies.

`python -m tests.notebooks` runs all of them in a kernel, in the folder of the notebooks, and writes copies with outputs
to runs/notebooks, as .ipynb and .html; names of notebooks choose some. `--publish` also puts small copies into
notebooks/rendered, which the documentation site shows. `--pair` writes the .ipynb files of the scripts.
"""

import argparse
import base64
import io
import re
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

from spkit.drawing.render import width_on_page

NOTEBOOKS = Path(__file__).parent.parent / "notebooks"
RENDERED = NOTEBOOKS / "rendered"
_WIDGET = "application/vnd.jupyter.widget-view+json"
#: Of a published picture: twice that of the page at most, and so many colours.
_PIXELS, _COLOURS = 1100, 96
_EMBEDDED = re.compile(r"(?<=data:image/png;base64,)[A-Za-z0-9+/=]+")


def scripts() -> list[Path]:
    """The notebooks' scripts, in order."""
    return sorted(NOTEBOOKS.glob("*.py"))


def cells(script: Path) -> list[tuple[str, str]]:
    """Kind and text of each cell of a py:percent script."""
    parts = script.read_text(encoding="utf-8").split("\n# %%")[1:]
    pieces = []
    for part in parts:
        first, _, body = part.partition("\n")
        if "[markdown]" in first:
            lines = [line.removeprefix("#").removeprefix(" ") for line in body.strip().splitlines()]
            pieces.append(("markdown", "\n".join(lines)))
        else:
            pieces.append(("code", body.strip()))
    return pieces


def run(
    script: Path, substitutions: Mapping[str, str], folder: Path, seconds_per_cell: int, kernel: str = "python3"
) -> tuple[Any, str]:
    """Run a notebook in a kernel of its own.

    Args:
        script: of the notebook; what is run is the .ipynb beside it.
        substitutions: text in code cells to what is run instead; each must occur.
        folder: the kernel's working folder.
        seconds_per_cell: time limit of each cell.
        kernel: its name.

    Returns:
        The notebook with its outputs, and what it wrote to stderr.

    Raises:
        ValueError: a text to be replaced is nowhere in the code.
        nbclient.exceptions.CellExecutionError: a cell raised.
    """
    notebook = nbformat.read(script.with_suffix(".ipynb"), as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    for old, new in substitutions.items():
        if not any(old in cell.source for cell in code):
            raise ValueError(f"{script.stem} has no {old!r} any more: correct the substitution.")
        for cell in code:
            cell.source = cell.source.replace(old, new)
    client = NotebookClient(
        notebook,
        timeout=seconds_per_cell,
        kernel_name=kernel,
        store_widget_state=False,  # five megabytes a figure
        resources={"metadata": {"path": str(folder)}},
    )
    client.execute()
    outputs = [output for cell in code for output in cell.outputs]
    stderr = "".join(part.text for part in outputs if part.output_type == "stream" and part.name == "stderr")
    return notebook, stderr


def still(notebook: Any) -> Any:
    """The notebook as a reader without a kernel can see it: pictures and tables in place of widgets."""
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        kept = []
        for output in cell.outputs:
            data = output.get("data", {})
            if _WIDGET in data and not {"image/png", "text/html"} & set(data):
                continue  # a progress bar
            data.pop(_WIDGET, None)
            about = output.get("metadata", {}).get("image/png", {})
            if "data:image/png" in data.get("text/html", ""):
                data.pop("text/html" if "alt" in about else "image/png", None)  # the same picture once more
            kept.append(output)
            if words := about.get("alt"):
                about["width"] = width_on_page(base64.b64decode(data["image/png"]))
                kept.append(nbformat.v4.new_output("display_data", {"text/markdown": words}))
        cell.outputs = kept
    return notebook


def small(notebook: Any) -> Any:
    """The same with smaller pictures, and without what an editor or a run leaves in the cells."""
    for cell in notebook.cells:
        cell.metadata = {}
        if cell.cell_type != "code":
            continue
        for output in cell.outputs:
            data = output.get("data", {})
            if "image/png" in data:
                data["image/png"] = _smaller(data["image/png"])
            if "text/html" in data:
                data["text/html"] = _EMBEDDED.sub(lambda found: _smaller(found.group()), data["text/html"])
    return notebook


def _smaller(picture: str) -> str:
    from PIL import Image

    image = Image.open(io.BytesIO(base64.b64decode(picture))).convert("RGB")
    if image.width > _PIXELS:
        image = image.resize((_PIXELS, round(image.height * _PIXELS / image.width)), Image.Resampling.LANCZOS)
    written = io.BytesIO()
    image.quantize(_COLOURS).save(written, format="PNG", optimize=True)
    return base64.b64encode(written.getvalue()).decode()


def render(script: Path, target: Path, publish: bool = False) -> str:
    """Run a notebook on real results, and write it with its outputs as .ipynb and .html; what it wrote to stderr."""
    from nbconvert import HTMLExporter

    began = time.perf_counter()
    notebook, stderr = run(script, {}, NOTEBOOKS, seconds_per_cell=1800)
    notebook = still(notebook)
    target.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, target / f"{script.stem}.ipynb")
    html, _ = HTMLExporter().from_notebook_node(notebook)
    (target / f"{script.stem}.html").write_text(html, encoding="utf-8")
    if publish:
        RENDERED.mkdir(exist_ok=True)
        nbformat.write(small(notebook), RENDERED / f"{script.stem}.ipynb")
    print(f"{script.stem}: {time.perf_counter() - began:.0f} s{'; stderr: ' + stderr if stderr else ''}", flush=True)
    return stderr


def pair(script: Path) -> None:
    """Write the .ipynb of a script, without outputs."""
    import jupytext

    notebook = jupytext.read(script)
    for number, cell in enumerate(notebook.cells):
        cell["id"] = f"cell-{number:02}"  # else a new one is drawn at every writing
        cell["metadata"] = {}
    notebook.metadata.pop("jupytext", None)
    notebook.metadata["jupytext"] = {"formats": "ipynb,py:percent"}
    notebook.nbformat_minor = 5
    nbformat.write(notebook, script.with_suffix(".ipynb"))


def main() -> None:
    """Render, or pair, the notebooks asked for."""
    parser = argparse.ArgumentParser(prog="python -m tests.notebooks", description=__doc__)
    parser.add_argument("names", nargs="*", help="stems of notebooks; default all")
    parser.add_argument("--output", type=Path, default=Path("runs/notebooks"))
    parser.add_argument("--publish", action="store_true")
    parser.add_argument("--pair", action="store_true")
    given = parser.parse_args()
    chosen = [script for script in scripts() if not given.names or script.stem in given.names]
    if not chosen:
        sys.exit(f"No notebook is named {', '.join(given.names)}.")
    if given.pair:
        for script in chosen:
            pair(script)
        return
    warned = [script.stem for script in chosen if render(script, given.output, given.publish)]
    if warned:
        sys.exit(f"Notebooks must run without a word on stderr. These wrote there: {', '.join(warned)}.")


if __name__ == "__main__":
    main()
