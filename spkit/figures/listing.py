"""Which figures there are: those of the modules beside this one, of the study's analyses, and a user's own."""

from importlib import import_module
from pathlib import Path

from spkit.drawing.rule import Rule, rules

#: Folders of the package whose modules make figures: a new figure is a new module there, and stands nowhere else.
_FOLDERS = ("figures", "study/analyses")
_MADE = "\n@figure("


def all_rules() -> dict[str, Rule]:
    """Every rule by name, in the order in which figures are listed and drawn.

    Only modules whose text makes a figure are loaded: an analysis without one would bring torch for nothing.
    """
    theirs = rules()
    package = Path(__file__).parent.parent
    for folder in _FOLDERS:
        for file in sorted((package / folder).glob("*.py")):
            if _MADE in file.read_text(encoding="utf-8"):
                import_module(f"spkit.{folder.replace('/', '.')}.{file.stem}")
    # A rule that a user made under the name of one of ours, loaded only now, is the one that counts.
    return {**rules(), **theirs}


def figure_names() -> list[str]:
    """Names of the figures that can be drawn, in the order in which they are drawn.

    Example:
        >>> figure_names()[:2]
        ['methods', 'differences']
    """
    return list(all_rules())
