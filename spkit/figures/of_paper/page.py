"""The page of all figures in the paper's order: what the paper says, what was measured, and whether it is the same."""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from spkit.escaping import in_markdown
from spkit.figures.gallery import PAGE as GALLERY
from spkit.figures.of_paper.base import base_folders
from spkit.figures.of_paper.figure import PaperFigure
from spkit.figures.of_paper.listing import paper_figures
from spkit.folders import own_file

PAGE = "paper.md"
_HEAD = "# The paper's figures, one to one\n"


def page(results: Path, output: Path) -> str:
    """The page's Markdown, from the figures that lie in a folder and the tables that they were drawn from."""
    told = {name: _about(output, name) for name in paper_figures()}
    parts = [_HEAD.rstrip(), _introduction(results), _overview(told)]
    parts += [_section(name, figure, told[name], results, output) for name, figure in paper_figures().items()]
    parts.append(_own(output))
    return "\n\n".join(part for part in parts if part) + "\n"


def write_page(results: Path, output: Path) -> Path:
    """Write the page beside the figures."""
    path = output / PAGE
    former = path.is_file() and path.read_text(encoding="utf-8").startswith(_HEAD)
    with own_file(path, "spkit figures", recognised=former) as unfinished:
        unfinished.write_text(page(results, output), encoding="utf-8", newline="\n")
    return path


def page_fits(results: Path, output: Path) -> bool:
    """Whether the page shows what lies beside it."""
    path = output / PAGE
    return path.is_file() and path.read_text(encoding="utf-8") == page(results, output)


def _about(output: Path, name: str) -> Mapping[str, Any] | None:
    """What a figure tells of itself, where it is drawn."""
    file = output / f"{name}.json"
    if not file.is_file() or not (output / f"{name}.png").is_file():
        return None
    return json.loads(file.read_text(encoding="utf-8"))


def _introduction(results: Path) -> str:
    names = [f"`{in_markdown(folder.name)}`" for folder in base_folders(results)]
    return (
        "Each figure and table of arXiv 2410.15035v1, in the paper's order and form, drawn from what was measured here "
        f"with the {'bases' if len(names) > 1 else 'base'} {' and '.join(names)}, which stand where the paper has "
        "languages. The outcome is *same*, *other* or *open* by the rule that stands beside it, computed from the "
        "tables. The pipeline that the paper calls iterative is called sequential. Numbers of the paper that it does "
        "not print were read off its figures by eye."
    )


def _overview(told: Mapping[str, Mapping[str, Any] | None]) -> str:
    lines = ["| in the paper | outcome | what it shows |", "| :--- | :--- | :--- |"]
    for name, about in told.items():
        outcome = "not drawn" if about is None else str(about.get("outcome", ""))
        lines.append(f"| [{_label(name)}](#{name}) | {outcome} | {paper_figures()[name].title} |")
    return "\n".join(lines)


def _section(name: str, figure: PaperFigure, about: Mapping[str, Any] | None, results: Path, output: Path) -> str:
    lines = [f'## <a id="{name}"></a>{_label(name)}. {figure.title}']
    if about is None:
        lines += [f"**Not drawn.** {figure.lacking(results)}".rstrip(), f"*The paper:* {figure.says}"]
        return "\n\n".join(lines)
    table = about.get("table")
    shown = f"![{_label(name)}: {figure.title}]({name}.png)"
    lines.append(shown if table is None else _table(table["columns"], table["rows"]))
    files = ", ".join(f"[{kind}]({name}.{kind})" for kind in ("png", "pdf", "csv", "json"))
    lines.append(f"<sub>{in_markdown(about['caption'])} Files: {files}.</sub>")
    lines.append(f"*The paper:* {figure.says}")
    lines.append(f"*Measured here:* {in_markdown(about['measured'])}")
    if about["beside"]:
        lines.append(_table(["", "measured here", "the paper"], about["beside"]))
    lines.append(f"**Outcome: {about['outcome']}.** {in_markdown(about['rule'])}")
    if about["falls_short"]:
        lines.append(f"*Where it falls short:* {in_markdown(about['falls_short'])}")
    return "\n\n".join(lines)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, [":---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(in_markdown(cell) for cell in line)} |" for line in lines)


def _label(name: str) -> str:
    return name.replace("_", " ").capitalize()


def _own(output: Path) -> str:
    """Links to our own figures, which lie below this folder or beside it."""
    pages = [*sorted(output.glob(f"*/{GALLERY}")), *(path for path in [output / GALLERY] if path.is_file())]
    pages += [path for path in sorted(output.parent.glob(f"*/{GALLERY}")) if path not in pages]
    pages += [path for path in [output.parent / GALLERY] if path.is_file()]
    links = [f"[{in_markdown(path.parent.name)}]({Path(os.path.relpath(path, output)).as_posix()})" for path in pages]
    return f"## Our own figures\n\nThey say more where the paper has none: {', '.join(links)}." if links else ""
