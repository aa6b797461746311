"""The studies in the navigation: a page each in docs/results, which `python -m tests.results_pages` writes."""

from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig

#: The study that comes first.
_FIRST = "demo"


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """List the pages of the studies behind the page that introduces them."""
    (listed,) = (entry["Results"] for entry in config.nav or [] if "Results" in entry)
    folder = Path(config.docs_dir) / "results"
    known = {page for entry in listed for page in ([entry] if isinstance(entry, str) else entry.values())}
    pages = [f"results/{page.relative_to(folder).as_posix()}" for page in folder.rglob("*.md")]
    studies = sorted({page.removesuffix(".md") for page in pages if page not in known}, key=_order)
    listed[1:1] = [{f"Study {name.removeprefix('results/')}": f"{name}.md"} for name in studies]
    return config


def _order(name: str) -> tuple[bool, str]:
    return name != f"results/{_FIRST}", name
