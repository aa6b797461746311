"""Do the tasks' gradients point in different directions? Cosines that mini-batch noise does not shrink."""

from spkit.diagnostics.conflict.callback import ConflictCallback
from spkit.diagnostics.conflict.measuring import check_batches, gradient_conflict
from spkit.diagnostics.conflict.report import ConflictReport

__all__ = ["ConflictCallback", "ConflictReport", "check_batches", "gradient_conflict"]
