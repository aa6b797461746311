"""spkit: find the best position between fine-tuned text-embedding models (Self Positioning, arXiv 2410.15035).

Public names are loaded on first use (PEP 562), so that `import spkit` costs milliseconds although training and
evaluation bring torch, transformers and mteb.
"""

from typing import TYPE_CHECKING

from spkit._lazy import loaded_on_use, renamed

__version__ = "0.1.0"

#: Public name -> the module that owns it.
_OWNERS = {
    "SpkitError": "errors",
    "NotFiniteError": "errors",
    "UndefinedPathError": "errors",
    "Task": "tasks",
    "load_tasks": "tasks",
    "pool_tasks": "tasks.pools",
    "load_mteb": "tasks.official",
    "load_base": "models.bases",
    "train": "training.trainer",
    "TaskVectors": "vectors.task_vectors",
    "Path": "searching.paths",
    "SlerpPath": "searching.paths",
    "SimplexPath": "searching.paths",
    "FreePath": "searching.paths",
    "merge": "merging.methods",
    "merge_methods": "merging.methods",
    "Probe": "searching.probe",
    "self_position": "searching.self_position",
    "choose_mu": "searching.over",
    "trade_off": "searching.over",
    "TradeOff": "searching.over",
    "search": "searching.black_box",
    "uncertainty": "searching.uncertainty",
    "Uncertainty": "searching.uncertainty",
    "PositionResult": "searching.result",
    "load_position": "searching.result",
    "save_model": "saving.recipe",
    "recipe_of": "models.origin",
    "gradient_conflict": "diagnostics.conflict",
    "ConflictReport": "diagnostics.conflict",
    "count_costs": "costs",
    "Cost": "costs",
    "imbalance": "diagnostics.imbalance",
    "effective_weights": "diagnostics.effective_weights",
    "EffectiveWeights": "diagnostics.effective_weights",
    "data_shares": "diagnostics.data_shares",
    "norms_by_examples": "diagnostics.data_scaling",
    "angles_by_ratio": "diagnostics.data_scaling",
    "fit_line": "diagnostics.line_fit",
    "sweep": "searching.sweep",
    "resample": "training.resampling",
    "train_with_surgery": "training.surgery",
    "ConflictCallback": "diagnostics.conflict",
    "task_affinity": "diagnostics.affinity",
    "cluster_tasks": "diagnostics.clusters",
    "run_study": "figures.studies",
    "load_profile": "study",
    "open_results": "figures.opened",
    "plot": "plot",
    "evaluate": "evaluation",
    "compare": "evaluation.comparison",
    "changed_examples": "evaluation.examples",
    "nearest": "evaluation.neighbours",
    "best": "best_model.running",
    "Report": "best_model.report",
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
    "Report",
    "SimplexPath",
    "SlerpPath",
    "SpkitError",
    "Task",
    "TaskVectors",
    "TradeOff",
    "Uncertainty",
    "UndefinedPathError",
    "angles_by_ratio",
    "best",
    "changed_examples",
    "choose_mu",
    "cluster_tasks",
    "compare",
    "count_costs",
    "data_shares",
    "effective_weights",
    "evaluate",
    "explore",
    "explore_study",
    "fit_line",
    "gradient_conflict",
    "imbalance",
    "load_base",
    "load_mteb",
    "load_position",
    "load_profile",
    "load_tasks",
    "merge",
    "merge_methods",
    "nearest",
    "norms_by_examples",
    "open_results",
    "plot",
    "pool_tasks",
    "recipe_of",
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
    from spkit import plot
    from spkit.best_model.report import Report
    from spkit.best_model.running import best
    from spkit.costs import Cost, count_costs
    from spkit.diagnostics.affinity import task_affinity
    from spkit.diagnostics.clusters import cluster_tasks
    from spkit.diagnostics.conflict import ConflictCallback, ConflictReport, gradient_conflict
    from spkit.diagnostics.data_scaling import angles_by_ratio, norms_by_examples
    from spkit.diagnostics.data_shares import data_shares
    from spkit.diagnostics.effective_weights import EffectiveWeights, effective_weights
    from spkit.diagnostics.imbalance import imbalance
    from spkit.diagnostics.line_fit import fit_line
    from spkit.errors import NotFiniteError, SpkitError, UndefinedPathError
    from spkit.evaluation import evaluate
    from spkit.evaluation.comparison import compare
    from spkit.evaluation.examples import changed_examples
    from spkit.evaluation.neighbours import nearest
    from spkit.explorer import explore, explore_study
    from spkit.figures.opened import open_results
    from spkit.figures.studies import run_study
    from spkit.merging.methods import merge, merge_methods
    from spkit.models.bases import load_base
    from spkit.models.origin import recipe_of
    from spkit.saving.recipe import save_model
    from spkit.searching.black_box import search
    from spkit.searching.over import TradeOff, choose_mu, trade_off
    from spkit.searching.paths import FreePath, Path, SimplexPath, SlerpPath
    from spkit.searching.probe import Probe
    from spkit.searching.result import PositionResult, load_position
    from spkit.searching.self_position import self_position
    from spkit.searching.sweep import sweep
    from spkit.searching.uncertainty import Uncertainty, uncertainty
    from spkit.study import load_profile
    from spkit.tasks import Task, load_tasks
    from spkit.tasks.official import load_mteb
    from spkit.tasks.pools import pool_tasks
    from spkit.training.resampling import resample
    from spkit.training.surgery import train_with_surgery
    from spkit.training.trainer import train
    from spkit.vectors.task_vectors import TaskVectors


#: Names of earlier versions -> today's.
_RENAMED = {"norm_ladder": "norms_by_examples", "angle_ladder": "angles_by_ratio"}

__getattr__ = renamed(loaded_on_use(__name__, _OWNERS), __name__, _RENAMED)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
