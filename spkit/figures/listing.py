"""Which figures there are: those of the modules beside this one, of the study's analyses, and a user's own."""

from importlib import import_module
from pkgutil import iter_modules

from spkit.drawing.rule import Rule, rules

#: Packages whose modules make figures: a new one is a new module there, and stands nowhere else.
_PACKAGES = ("spkit.figures", "spkit.study.analyses")


def all_rules() -> dict[str, Rule]:
    """Every rule by name, in the order in which figures are listed and drawn."""
    theirs = rules()
    for package in _PACKAGES:
        for module in iter_modules(import_module(package).__path__):
            import_module(f"{package}.{module.name}")
    # A rule that a user made under the name of one of ours, loaded only now, is the one that counts.
    return {**rules(), **theirs} if theirs else rules()


def figure_names() -> list[str]:
    """Names of the figures that can be drawn, in the order in which they are drawn.

    Example:
        >>> figure_names()[:2]
        ['methods', 'differences']
    """
    return list(all_rules())
