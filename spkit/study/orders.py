"""A stage as it is sent to another process, and what that process does with it."""

import platform
import threading
from contextlib import chdir
from dataclasses import dataclass

from spkit.errors import SpkitError
from spkit.study.declared import Study, declare
from spkit.study.profile import Profile
from spkit.study.records import record_in

#: A process does one stage at a time, whatever a cluster's worker allows: torch's seeds and settings are the process's.
_ONE_AT_A_TIME = threading.Lock()

#: The study that this process declared last: its next stage needs no second reading of base and tasks.
_DECLARED: dict[str, Study] = {}


@dataclass(frozen=True)
class Order:
    """A stage to run, in words that any process of any machine understands.

    Attributes:
        profile: of the study.
        root: the study's folder, an absolute path that all machines share.
        home: the working directory that relative paths of the profile start from.
        seed: of the stage.
        name: of the stage, without the seed.
    """

    profile: Profile
    root: str
    home: str
    seed: int
    name: str


def work_on(order: Order) -> None:
    """Run one stage in the study's folder, where the records of all that it reads must be.

    Raises:
        SpkitError: this machine does not see the study's folder, or what the stage raises.
    """
    with _ONE_AT_A_TIME, chdir(order.home):
        run = _declared(order).runs[order.seed]
        for need in run.nodes[order.name].stages:
            record = record_in(run.folder(need))
            if record is None:
                raise SpkitError(
                    "All workers of a study must share its folder.",
                    f"Found no record of seed{order.seed}/{need} in {order.root} on {platform.node()}.",
                    "Pass --output in a folder that all machines share.",
                )
            run.records[need] = record
        try:
            run.finish(order.name)
        except SpkitError as error:  # the plainest form travels: others hold models, or take other arguments
            raise SpkitError(str(error)) from error


def _declared(order: Order) -> Study:
    key = f"{order.root}\n{order.profile.model_dump_json()}"
    if key not in _DECLARED:
        _DECLARED.clear()
        _DECLARED[key] = declare(order.profile, order.root, _silent)
    return _DECLARED[key]


def _silent(line: str) -> None:
    """The process that sends the stages says what runs."""
