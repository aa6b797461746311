"""The explorer: where in the space between models are you, and what does that position score?"""

from typing import TYPE_CHECKING

from spkit._extras import require
from spkit._lazy import loaded_on_use

__all__ = ["explore", "explore_study"]

# Whatever is loaded first of it: the extra that brings all it needs is named, before one that brings a part.
for _package in ("ipywidgets", "anywidget"):
    require(_package, "The explorer")

__getattr__ = loaded_on_use(__name__, {"explore": "opening", "explore_study": "opening"})

if TYPE_CHECKING:
    from spkit.explorer.opening import explore as explore
    from spkit.explorer.opening import explore_study as explore_study
