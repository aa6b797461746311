"""The model card of a merged model, and the versions it was made with."""

import platform
from importlib.metadata import version
from typing import Any

_PACKAGES = ("spkit", "torch", "transformers", "sentence-transformers", "mteb")


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that decide numbers."""
    return {"python": platform.python_version(), **{package: version(package) for package in _PACKAGES}}


def model_card(recipe: dict[str, Any]) -> str:
    """A model card in Markdown: what was merged, how, with which coefficients and versions."""
    rows = recipe["coefficients"]
    experts = recipe["experts"]
    table = [
        "| module | " + " | ".join(experts) + " |",
        "|---" * (len(experts) + 1) + "|",
        *(f"| {name} | " + " | ".join(f"{row[expert]:.4f}" for expert in experts) + " |" for name, row in rows.items()),
    ]
    settings = "\n".join(f"- {key}: {value}" for key, value in recipe["settings"].items())
    made_with = ", ".join(f"{name} {number}" for name, number in recipe["versions"].items())
    return f"""---
library_name: sentence-transformers
pipeline_tag: sentence-similarity
tags:
- sentence-transformers
- sentence-similarity
- merge
- spkit
---

# A merged text-embedding model

This model stands at θ0 + Σ c_i V_i between fine-tunes of one base: V_i = θ_i − θ0 are the task vectors of the experts
{", ".join(experts)}, and the coefficients c_i were found with the method `{recipe["method"]}` of spkit.

```python
from sentence_transformers import SentenceTransformer

model = SentenceTransformer("path/to/this/folder")
```

## Coefficients

{chr(10).join(table)}

## Settings

{settings}

Base weights: sha256 {recipe["base_sha256"]}.
Made with {made_with}.
"""
