"""Who runs the stages of a study: this process, processes beside it, or the workers of a cluster.

A stage is sent by its name. The process that gets it declares the study again, from the same profile, runs the stage in
the study's folder, and leaves a record; what travels is a profile of some kilobytes and the name. So anything with the
interface of `concurrent.futures.Executor` can carry the stages: here the standard library's pool of processes, and
Dask on a cluster, which runs under Slurm and other queues, starts workers again that end, and is pure Python.
"""

import os
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, CancelledError, Executor, Future, wait
from contextlib import AbstractContextManager

from spkit.errors import SpkitError, quoted
from spkit.study.declared import Study
from spkit.study.orders import Order, work_on
from spkit.study.remaining import Remaining
from spkit.study.seed_run import SeedRun
from spkit.study.workers import on_cluster, side_by_side

#: Times that workers may end without having finished any stage between.
_TRIES = 3


def run_stages(study: Study, workers: int = 1, cluster: str | None = None) -> None:
    """Run all stages of a study, or take their records.

    Args:
        study: as it is declared; its records are filled.
        workers: processes of this machine; 1 is this process itself.
        cluster: the address of a Dask scheduler instead.

    Raises:
        SpkitError: what a stage raises; what was finished before stays.
    """
    if cluster is not None:
        _carried(study, lambda: on_cluster(cluster))
    elif workers > 1:
        _carried(study, lambda: side_by_side(workers))
    else:
        remaining = _remaining(study)
        for seed, run in study.runs.items():
            run.say(f"Seed {seed}")
            for name in run.nodes:
                there = _taken(run, name)
                if not there:
                    run.finish(name)
                _tell(remaining, run, name, there)


def _taken(run: SeedRun, name: str) -> bool:
    """Whether a stage's record is there; it is taken then."""
    there = run.take(name)
    if there:
        run.say(f"  seed{run.seed}/{name}: done before")
    return there


def _remaining(study: Study) -> Remaining:
    return Remaining((run.seed, node) for run, node in study.nodes())


def _tell(remaining: Remaining, run: SeedRun, name: str, there: bool) -> None:
    """Note that a stage is done, and say now and then how long the others take."""
    if there:
        remaining.taken(run.seed, name)
    elif said := remaining.ran(run.seed, name):
        run.say(said)


class _Progress:
    """Which stages wait, run and are done; a stage is the number of its seed and its name."""

    def __init__(self, study: Study) -> None:
        self.study = study
        self.waiting = [(run.seed, node.name) for run, node in study.nodes()]
        self.running: dict[Future[None], tuple[int, str]] = {}
        self.remaining = _remaining(study)

    def send(self, executor: Executor) -> None:
        """Take the records that are there, and send every stage that has all it reads."""
        for stage in list(self.waiting):
            seed, name = stage
            run = self.study.runs[seed]
            if not all(need in run.records for need in run.nodes[name].stages):
                continue
            self.waiting.remove(stage)
            if _taken(run, name):
                _tell(self.remaining, run, name, there=True)
                continue
            order = Order(self.study.profile, str(self.study.root.absolute()), os.getcwd(), seed, name)
            try:
                self.running[executor.submit(work_on, order)] = stage
            except BrokenExecutor:
                self.waiting.insert(0, stage)
                raise
            run.say(f"  seed{seed}/{name} …")

    def receive(self) -> None:
        """Wait for the next stage to end, and take its record."""
        done, _ = wait(self.running, return_when=FIRST_COMPLETED)
        for future in done:
            future.result()  # raises what the stage did
            seed, name = self.running.pop(future)
            if not self.study.runs[seed].take(name):
                raise SpkitError(
                    "Workers must write to the study's folder, and run the same spkit and packages as this process.",
                    f"Found no such record of seed{seed}/{name} in {self.study.root.absolute()}.",
                    "Pass --output in a folder that all machines share, and install one environment on all of them.",
                )
            _tell(self.remaining, self.study.runs[seed], name, there=False)

    def back(self) -> list[str]:
        """Let what was running wait again; gives the names."""
        lost = list(self.running.values())
        self.running.clear()
        order = {(run.seed, node.name): number for number, (run, node) in enumerate(self.study.nodes())}
        self.waiting = sorted({*self.waiting, *lost}, key=lambda stage: order[stage])
        return [f"seed{seed}/{name}" for seed, name in lost]


def _carried(study: Study, start: Callable[[], AbstractContextManager[Executor]]) -> None:
    progress, tries = _Progress(study), 0
    say = next(iter(study.runs.values())).say
    while progress.waiting or progress.running:
        before = len(progress.waiting)
        try:
            with start() as executor:
                while progress.waiting or progress.running:
                    progress.send(executor)
                    if progress.running:
                        progress.receive()
        except (BrokenExecutor, CancelledError) as error:
            lost = progress.back()
            tries = 1 if len(progress.waiting) < before else tries + 1
            if tries >= _TRIES:
                raise SpkitError(
                    "A worker must live as long as its stage.",
                    f"Found that workers ended {tries} times while {quoted(lost)} ran ({type(error).__name__}).",
                    "Look whether the memory is enough for so many workers, and pass fewer.",
                ) from error
            say(f"  a worker ended; {quoted(lost)} will run again")
