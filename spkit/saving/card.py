"""The model card of a merged model, and the versions it was made with."""

import platform
from collections.abc import Mapping
from functools import cache
from importlib.metadata import version
from typing import Any

import yaml

from spkit.escaping import in_markdown
from spkit.saving.published import hub_ids_of, licence_of

_PACKAGES = ("spkit", "torch", "transformers", "sentence-transformers", "mteb")


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that decide numbers."""
    return {"python": platform.python_version(), **{package: _version(package) for package in _PACKAGES}}


@cache
def _version(package: str) -> str:
    """Asked for with every record; a look at the installed packages takes milliseconds."""
    return version(package)


def model_card(recipe: Mapping[str, Any]) -> str:
    """A model card in Markdown: what was merged, how, with which coefficients and versions.

    Args:
        recipe: as `spkit.saving.recipe` makes it.

    Returns:
        The card's text, with the metadata that sentence-transformers and hubs read.
    """
    experts = recipe["experts"]
    sources = "\n".join(
        f"- {in_markdown(name)}: {in_markdown(source or 'given as a model in memory')}"
        for name, source in {"base": recipe["base"], **experts}.items()
    )
    given = recipe["settings"].items()
    settings = "\n".join(f"- {in_markdown(key)}: {in_markdown(value)}" for key, value in given) or "None."
    names = ", ".join(map(in_markdown, experts))
    made_with = ", ".join(f"{name} {number}" for name, number in recipe["versions"].items())
    return f"""---
{_metadata(recipe)}---

# A merged text-embedding model

This model was merged from fine-tunes of one base for {names}, with the method `{recipe["method"]}` of
spkit.

```python
from sentence_transformers import SentenceTransformer

model = SentenceTransformer("path/to/this/folder")
```

{_coefficients(recipe)}## Models

{sources}

Base weights: sha256 {recipe["base_sha256"]}.

## Settings

{settings}

{_mergekit(recipe["mergekit"])}
Made with {made_with}.
"""


def _metadata(recipe: Mapping[str, Any]) -> str:
    """What hubs read of a card: also which models of a hub it was made of, and the licence that all models share."""
    sources = [source for source in (recipe["base"], *recipe["experts"].values()) if source is not None]
    about: dict[str, Any] = {
        "library_name": "sentence-transformers",
        "pipeline_tag": "sentence-similarity",
        "tags": ["sentence-transformers", "sentence-similarity", "merge", "spkit"],
    }
    hub_ids = [hub_id for source in sources for hub_id in hub_ids_of(source)]
    if hub_ids:
        about |= {"base_model": list(dict.fromkeys(hub_ids)), "base_model_relation": "merge"}
    licences = {licence_of(source) for source in sources}
    if len(sources) == 1 + len(recipe["experts"]) and len(licences) == 1 and None not in licences:
        about["license"] = licences.pop()
    return yaml.safe_dump(about, sort_keys=False)


def _coefficients(recipe: Mapping[str, Any]) -> str:
    """The position as a table; mergekit's methods have none."""
    rows = recipe["coefficients"]
    if not rows:
        return ""
    experts = list(recipe["experts"])
    table = [
        "| module | " + " | ".join(map(in_markdown, experts)) + " |",
        "|---" * (len(experts) + 1) + "|",
        *(f"| {name} | " + " | ".join(f"{row[expert]:.4f}" for expert in experts) + " |" for name, row in rows.items()),
    ]
    done = "; ".join(", ".join(f"{key} {value}" for key, value in one.items()) for one in recipe["operations"])
    changed = f" Their entries were changed first: {done}." if done else ""
    return f"""## Coefficients

It stands at θ0 + Σ c_i V_i, where V_i = θ_i − θ0 are the experts' task vectors.{changed} The coefficients c_i:

{chr(10).join(table)}

"""


def _mergekit(config: Mapping[str, Any] | str) -> str:
    if isinstance(config, str):
        return f"No mergekit configuration: {config}\n"
    text = yaml.safe_dump(dict(config), sort_keys=False)
    return f"""## The same with mergekit

`mergekit-yaml` makes the same weights from this configuration:

```yaml
{text}```
"""
