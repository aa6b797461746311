"""The README's section of results, written from published result files: no number in it is typed by hand."""

from pathlib import Path

_START, _END = "<!-- results -->\n", "<!-- /results -->"


def results_section(results: Path) -> str:
    """The section as Markdown: the study's summary without its heading.

    Args:
        results: a folder of published results, with `summary.md`.

    Returns:
        Text that ends with a line break.
    """
    lines = (results / "summary.md").read_text(encoding="utf-8").splitlines()
    body = "\n".join(line for line in lines if not line.startswith("# ")).strip()
    return f"`make results` made this table; its files and records are in `data/results/demo`.\n\n{body}\n"


def write_results(readme: Path, results: Path) -> None:
    """Put the section between its two marks in the README."""
    text = readme.read_text(encoding="utf-8")
    before, _, rest = text.partition(_START)
    _, _, after = rest.partition(_END)
    unfinished = readme.with_suffix(".unfinished")
    unfinished.write_text(f"{before}{_START}{results_section(results)}{_END}{after}", encoding="utf-8")
    unfinished.replace(readme)


if __name__ == "__main__":
    write_results(Path("README.md"), Path("data/results/demo"))
