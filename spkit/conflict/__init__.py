"""Do the tasks' gradients pull in different directions? Cosines that mini-batch noise does not shrink."""

from spkit.conflict.callback import ConflictCallback
from spkit.conflict.measuring import check_batches, gradient_conflict
from spkit.conflict.report import ConflictReport

__all__ = ["ConflictCallback", "ConflictReport", "check_batches", "gradient_conflict"]
