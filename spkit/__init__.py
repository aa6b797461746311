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
    "load_position": "saved_position",
    "save_model": "recipe",
    "gradient_conflict": "conflict",
    "ConflictReport": "conflict",
    "count_costs": "costs",
    "Cost": "costs",
    "imbalance": "data_imbalance",
    "effective_weights": "data_imbalance",
    "EffectiveWeights": "data_imbalance",
    "norm_ladder": "ladders",
    "angle_ladder": "ladders",
    "fit_line": "ladders",
    "sweep": "sweeping",
    "resample": "resampling",
    "train_with_surgery": "surgery",
    "ConflictCallback": "conflict",
    "task_affinity": "affinity",
    "run_study": "study",
    "load_profile": "study",
    "open_results": "study",
    "evaluate": "evaluation",
    "explore": "explorer",
    "explore_study": "explorer",
}

__all__ = [
    "ConflictCallback",
    "ConflictReport",
    "Cost",
    "EffectiveWeights",
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
    "angle_ladder",
    "choose_mu",
    "count_costs",
    "effective_weights",
    "evaluate",
    "explore",
    "explore_study",
    "fit_line",
    "gradient_conflict",
    "imbalance",
    "load_base",
    "load_position",
    "load_profile",
    "load_tasks",
    "merge",
    "merge_methods",
    "norm_ladder",
    "open_results",
    "resample",
    "run_study",
    "save_model",
    "search",
    "self_position",
    "sweep",
    "task_affinity",
    "trade_off",
    "train",
    "train_with_surgery",
    "uncertainty",
]

if TYPE_CHECKING:  # the same names for type checkers and editors
    from spkit.affinity import task_affinity
    from spkit.baselines import search
    from spkit.choosing import choose_mu
    from spkit.conflict import ConflictCallback, ConflictReport, gradient_conflict
    from spkit.costs import Cost, count_costs
    from spkit.curvature import Uncertainty, uncertainty
    from spkit.data_imbalance import EffectiveWeights, effective_weights, imbalance
    from spkit.errors import NotFiniteError, SpkitError
    from spkit.evaluation import evaluate
    from spkit.explorer import explore, explore_study
    from spkit.ladders import angle_ladder, fit_line, norm_ladder
    from spkit.merging import merge, merge_methods
    from spkit.models import load_base
    from spkit.paths import FreePath, Path, SimplexPath, SlerpPath
    from spkit.position_result import PositionResult
    from spkit.positioning import self_position
    from spkit.probe import Probe
    from spkit.recipe import save_model
    from spkit.resampling import resample
    from spkit.saved_position import load_position
    from spkit.study import load_profile, open_results, run_study
    from spkit.surgery import train_with_surgery
    from spkit.sweeping import sweep
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
