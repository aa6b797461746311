"""Do the tasks' gradients point in different directions? Cosines that mini-batch noise does not shrink."""

from spkit.diagnostics.conflict.callback import ConflictCallback
from spkit.diagnostics.conflict.measuring import gradient_conflict
from spkit.diagnostics.conflict.report import ConflictReport

__all__ = ["ConflictCallback", "ConflictReport", "gradient_conflict"]
