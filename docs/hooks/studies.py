"""A page for each published study: its summary and its figures, as they stand in data/results and figures."""

import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

#: The study whose figures lie at the top of the folder of figures.
_TOP = "demo"
#: A cell of a table with a number and its interval, which goes below it.
_SCORE = re.compile(r"(?<=\| )(-?[\d.]+) (\[[^]|]+\])(?= *\|)")
_TITLE = re.compile(r"\A# .*\n")
_HEADING = re.compile(r"^(#+) (\w+)$", re.MULTILINE)
_PICTURE = re.compile(r"!\[([^]]*)\]\(([^)]+)\)")


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """List the studies in the navigation, behind the page that introduces them."""
    (pages,) = (entry["Results"] for entry in config.nav or [] if "Results" in entry)
    pages += [{f"Study {name}": f"results/{name}.md"} for name in _studies(_root(config))]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add a page a study, and the pictures that it shows."""
    root = _root(config)
    for name, (summary, figures) in _studies(root).items():
        parts = [f"# Study {name}"]
        if summary:
            told = summary.read_text(encoding="utf-8")
            parts.append(_SCORE.sub(r"\1<small>\2</small>", _TITLE.sub("", told)))
        if figures:
            text, depth = figures.read_text(encoding="utf-8"), name.count("/")
            for picture in sorted({path for _, path in _PICTURE.findall(text)}):
                place = f"results/figures/{name}/{picture}"
                files.append(File.generated(config, place, abs_src_path=str(figures.parent / picture)))
            shown = _PICTURE.sub(rf"![\1]({'../' * depth}figures/{name}/\2){{ loading=lazy }}", text)
            parts.append(_HEADING.sub(_as_words, shown))
        files.append(File.generated(config, f"results/{name}.md", content="\n\n".join(parts)))
    return files


def _as_words(heading: re.Match[str]) -> str:
    """The heading one level deeper, and the name of a figure in words."""
    return f"#{heading.group(1)} {heading.group(2).replace('_', ' ').capitalize()}"


def _root(config: MkDocsConfig) -> Path:
    return Path(config.config_file_path).parent


def _studies(root: Path) -> dict[str, tuple[Path | None, Path | None]]:
    """Summary and page of figures by the study's name, the demo first; a study has one of them at least."""
    summaries = {_name(page, root / "data" / "results"): page for page in (root / "data").rglob("summary.md")}
    figures = {_name(page, root / "figures"): page for page in (root / "figures").rglob("figures.md")}
    names = sorted(summaries.keys() | figures.keys(), key=lambda name: (name != _TOP, name))
    return {name: (summaries.get(name), figures.get(name)) for name in names}


def _name(page: Path, folder: Path) -> str:
    name = page.parent.relative_to(folder).as_posix()
    return _TOP if name == "." else name
