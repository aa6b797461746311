"""A page of all figures in a folder, each with its caption: what a reader sees where there is no notebook."""

import json
from pathlib import Path

from spkit.escaping import in_markdown
from spkit.figures.listing import Collection, all_rules, figure_names
from spkit.folders import own_file

PAGE = "figures.md"


def gallery(folder: Path) -> str:
    """The page's Markdown, from the pictures and captions that lie in a folder, in the order of the registry."""
    parts = ["# Figures"]
    for name in figure_names():
        about = folder / f"{name}.json"
        if about.is_file() and (folder / f"{name}.png").is_file():
            told = json.loads(about.read_text(encoding="utf-8"))
            shown = in_markdown(told.get("headline") or name)
            caption = told["caption"].replace("<", "&lt;").replace(">", "&gt;")  # names of tasks stand in it
            parts.append(f"## {name}\n\n![{shown}]({name}.png)\n\n{caption}")
    return "\n\n".join(parts) + "\n"


def write_gallery(folder: Path) -> Path:
    """Write the page beside the figures, under a temporary name first."""
    page = folder / PAGE
    former = page.is_file() and page.read_text(encoding="utf-8").startswith("# Figures\n")
    with own_file(page, "spkit figures", recognised=former) as unfinished:
        unfinished.write_text(gallery(folder), encoding="utf-8", newline="\n")
    return page


def page_fits(folder: Path) -> bool:
    """Whether the page shows what lies beside it."""
    page = folder / PAGE
    return page.is_file() and page.read_text(encoding="utf-8") == gallery(folder)


COLLECTION = Collection(
    page=PAGE,
    holds="scores.csv",
    rules=lambda results: all_rules(),
    has_tables=lambda results: any(results.glob("*.csv")),
    write_page=lambda results, output: write_gallery(output),
    page_fits=lambda results, output: page_fits(output),
)
