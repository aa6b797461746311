"""spkit: find the best position between fine-tuned text-embedding models (Self Positioning, arXiv 2410.15035).

Public names are loaded on first use (PEP 562), so that `import spkit` costs milliseconds although training and
evaluation bring torch, transformers and mteb.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

#: Public name -> the module that owns it.
_OWNERS = {
    "SpkitError": "errors",
    "NotFiniteError": "errors",
    "Task": "tasks",
    "load_tasks": "tasks",
    "load_base": "models",
    "train": "training",
    "TaskVectors": "vectors",
    "Path": "paths",
    "SlerpPath": "paths",
    "SimplexPath": "paths",
    "FreePath": "paths",
    "merge": "merging",
    "merge_methods": "merging",
    "Probe": "probe",
    "self_position": "positioning",
    "choose_mu": "choosing",
    "trade_off": "trading",
    "TradeOff": "trading",
    "search": "baselines",
    "uncertainty": "curvature",
    "Uncertainty": "curvature",
    "PositionResult": "position_result",
    "save_model": "recipe",
    "gradient_conflict": "conflict",
    "ConflictReport": "conflict",
    "evaluate": "evaluation",
}

__all__ = [
    "ConflictReport",
    "FreePath",
    "NotFiniteError",
    "Path",
    "PositionResult",
    "Probe",
    "SimplexPath",
    "SlerpPath",
    "SpkitError",
    "Task",
    "TaskVectors",
    "TradeOff",
    "Uncertainty",
    "choose_mu",
    "evaluate",
    "gradient_conflict",
    "load_base",
    "load_tasks",
    "merge",
    "merge_methods",
    "save_model",
    "search",
    "self_position",
    "trade_off",
    "train",
    "uncertainty",
]

if TYPE_CHECKING:  # the same names for type checkers and editors
    from spkit.baselines import search
    from spkit.choosing import choose_mu
    from spkit.conflict import ConflictReport, gradient_conflict
    from spkit.curvature import Uncertainty, uncertainty
    from spkit.errors import NotFiniteError, SpkitError
    from spkit.evaluation import evaluate
    from spkit.merging import merge, merge_methods
    from spkit.models import load_base
    from spkit.paths import FreePath, Path, SimplexPath, SlerpPath
    from spkit.position_result import PositionResult
    from spkit.positioning import self_position
    from spkit.probe import Probe
    from spkit.recipe import save_model
    from spkit.tasks import Task, load_tasks
    from spkit.trading import TradeOff, trade_off
    from spkit.training import train
    from spkit.vectors import TaskVectors


def __getattr__(name: str) -> Any:
    owner = _OWNERS.get(name)
    if owner is None:
        raise AttributeError(f"module 'spkit' has no attribute {name!r}. It has {', '.join(__all__)}.")
    value = getattr(import_module(f"spkit.{owner}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
