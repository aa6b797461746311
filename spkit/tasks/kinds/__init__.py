"""The kinds of task: one object each, in one file each.

Whatever depends on the kind of a task is read from its object: checks of the data, task files, splits, losses and
batches, evaluation, the labels of tables, the explorer's scores. A new kind is a new file here with a `KIND`; nothing
else changes. Listing the kinds imports neither torch nor mteb.
"""

from functools import lru_cache
from importlib import import_module
from pkgutil import iter_modules

from spkit.errors import SpkitError, quoted
from spkit.tasks.kinds._base import Kind, Metric, Route
from spkit.tasks.kinds._pairs import GROUP
from spkit.tasks.kinds._seen import Embed, Seen, SimilarityFunction
from spkit.tasks.kinds._targets import Label, Score, Target

__all__ = [
    "GROUP",
    "Embed",
    "Kind",
    "Label",
    "Metric",
    "Route",
    "Score",
    "Seen",
    "SimilarityFunction",
    "Target",
    "kind_named",
    "kinds",
]


@lru_cache(maxsize=1)
def _scanned() -> tuple[Kind, ...]:
    names = [module.name for module in iter_modules(__path__) if not module.name.startswith("_")]
    return tuple(sorted((import_module(f"{__name__}.{name}").KIND for name in names), key=lambda kind: kind.place))


def kinds() -> dict[str, Kind]:
    """All kinds by name, in the order in which lists and tables show them.

    Example:
        >>> list(kinds())[:4]
        ['retrieval', 'sts', 'pair', 'classification']
        >>> kinds()["sts"].columns
        ('sentence1', 'sentence2', 'score')
    """
    return {kind.name: kind for kind in _scanned()}


def kind_named(name: str, where: str = "") -> Kind:
    """The kind of a name.

    Args:
        name: as in `Task(kind=...)`.
        where: what asks for it, for the error, e.g. "in task 'faq'".

    Raises:
        SpkitError: there is no such kind.

    Example:
        >>> kind_named("pair").losses
        ('contrastive', 'cosent', 'infonce')
    """
    kind = kinds().get(name) if isinstance(name, str) else None
    if kind is None:
        place = f" {where}" if where else ""
        raise SpkitError(f"`kind` must be one of {quoted(kinds())}.", f"Found {name!r}{place}.")
    return kind
