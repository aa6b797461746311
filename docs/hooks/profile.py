"""The page of a study's profile: its keys with their defaults, read from the models that check it."""

import ast
import inspect
import json
import re
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import Files
from mkdocs.structure.pages import Page

_MARK = "<!-- each key -->"
_ABOUT = re.compile(r"^    (\w+(?:, \w+)*): (.*(?:\n {8}.*)*)", re.MULTILINE)


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Put the keys in the place of their mark."""
    if _MARK not in markdown:
        return markdown
    from spkit.study.profile import Tables
    from spkit.study.settings import Settings

    about = {
        name: " ".join(text.split())
        for names, text in _ABOUT.findall(inspect.cleandoc(Tables.__doc__ or ""))
        for name in names.split(", ")
    }
    tables = {
        name: field.annotation
        for name, field in Tables.model_fields.items()
        if isinstance(field.annotation, type) and issubclass(field.annotation, Settings)
    }
    parts = [
        "## Keys",
        _rows(Tables, [name for name in Tables.model_fields if name not in tables], about),
    ]
    parts.append("## Tables")
    for name, model in tables.items():
        keys = [key for key in model.known_keys() if key in model.model_fields]
        parts += [f"### [{name}]", _sentence(about[name]), _rows(model, keys, {})]
    parts += ["## Analyses", _analyses(Path(config.config_file_path).parent)]
    return markdown.replace(_MARK, "\n\n".join(parts))


def _rows(model: Any, names: list[str], about: dict[str, str]) -> str:
    """A table of keys; what they mean is left out where nothing is said of any."""
    rows = []
    for name in names:
        field = model.model_fields[name]
        default = None if field.is_required() else field.get_default(call_default_factory=True)
        shown = "must be given" if field.is_required() else "none" if default is None else f"`{_toml(default)}`"
        rows.append([f"`{name}`", shown, *([_sentence(about.get(name, ""))] if about else [])])
    head = ["key", "default", *(["meaning"] if about else [])]
    return "\n".join("| " + " | ".join(row) + " |" for row in [head, ["---"] * len(head), *rows])


def _analyses(root: Path) -> str:
    lines = [
        "Each has a table of its own, `[NAME]`, and is made where the profile has it.\n",
        "| table | what it asks |",
        "|---|---|",
    ]
    for path in sorted((root / "spkit" / "study" / "analyses").glob("[a-z]*.py")):
        said = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
        lines.append(f"| `[{path.stem}]` | {_sentence(said.splitlines()[0])} |")
    return "\n".join(lines)


def _toml(value: Any) -> str:
    return json.dumps(list(value) if isinstance(value, tuple) else value, ensure_ascii=False)


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:].replace("|", "\\|")
