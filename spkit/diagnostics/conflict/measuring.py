"""`gradient_conflict`: the tasks' gradients at a model's weights, one micro-batch at a time."""

import warnings
from collections.abc import Mapping, Sequence

import torch
from sentence_transformers import SentenceTransformer
from tqdm.auto import tqdm

from spkit.diagnostics.blocks import check_batches
from spkit.diagnostics.conflict.report import ConflictReport, build_report
from spkit.diagnostics.conflict.sums import ROUND, GradientSums, room_on
from spkit.diagnostics.conflict.tables import make_sparse
from spkit.errors import SpkitError, quoted
from spkit.launcher import is_main
from spkit.models.bases import copy_model
from spkit.models.layout import Layout
from spkit.processes import is_own
from spkit.searching.reader import read_plainly
from spkit.tasks.loss_rows import loss_rows
from spkit.tasks.named import named_tasks
from spkit.tasks.task import Task, check_trained
from spkit.training.batches import TaskBatches
from spkit.training.checks import check_batch


def gradient_conflict(
    model: SentenceTransformer,
    tasks: Mapping[str, Task] | Sequence[Task],
    *,
    batches: int = 16,
    batch_size: int = 32,
    seed: int = 0,
    dropout: bool = False,
    progress: bool = True,
) -> ConflictReport:
    """Measure how far the tasks' gradients agree at a model's weights.

    For each task the gradients of M micro-batches are summed in blocks; s = (‖Σ g‖² − Σ‖g‖²) / (M(M − 1)) estimates the
    squared norm of the expected gradient without bias, and corrects the cosine that noise shrinks. Two tasks are taken
    to be drawn apart from each other: the more examples they share, the more of their noise counts as agreement.

    Eight gradients a task are held: four block sums and a round of four micro-batches. Above 64 MB (on a GPU: 4 GiB)
    they stand in a mapped file in the folder for temporary files. Under `torchrun` or `accelerate launch` the processes
    share out the rounds, and sum the block sums at the end; more processes than M / 4 help no further.

    Args:
        model: where the gradients are taken; it is left as it is.
        tasks: two or more tasks, as `load_tasks` gives them or as a list; gradients come from their training splits.
        batches: M, micro-batches of each task, at least 4 and a multiple of 4.
        batch_size: examples in each.
        seed: of the order of examples, and of dropout.
        dropout: whether the model drops activations as in training. Off, the gradients are those of the model that is
            evaluated and merged; on, those that an optimiser sees, with more noise.
        progress: whether to show a progress bar.

    Returns:
        The report.

    Raises:
        SpkitError: fewer than two tasks, a number of batches out of range, a batch that a task cannot fill, a task
            without two batches of different examples.
        NotFiniteError: a gradient that is not finite.

    Warns:
        UserWarning: a task has fewer examples than its batches take, so that some come up again; with how often.

    References:
        Mueller, Andrews, Dredze, arXiv 2212.06645.

    Example:
        >>> from spkit import load_base, load_tasks
        >>> tasks = load_tasks("bundled", names=["headline", "topic"])
        >>> base = load_base("minilm-l3", max_seq_length=8)
        >>> report = gradient_conflict(base, tasks, batches=4, batch_size=8, progress=False)
        >>> report.verdict.loc["headline", "headline"]
        'agree'
    """
    named = check_tasks(tasks)
    check_sizes(named, batches, batch_size)
    working = copy_model(model)
    devices = range(torch.cuda.device_count())
    with torch.random.fork_rng(devices=devices):  # a loss may draw its own parameters, and dropout draws masks
        torch.manual_seed(seed)
        streams = {name: TaskBatches(task, task.train, working, batch_size, seed) for name, task in named.items()}
        working.train(dropout)
        if not dropout:  # which draws by the shape of what passes through
            for stream in streams.values():
                read_plainly(stream)
        layout = Layout.of(working)
        matrix = room_on(working.device, 2 * ROUND * len(named), layout.size)
        sums = GradientSums(layout, make_sparse(working), list(named), batches, matrix)
        used = _pass_by(working, list(streams.values()), sums, batches, progress)
        repeats = [batches * batch_size / len(rows) for rows in used]
        _warn_of_repeats(dict(zip(named, repeats, strict=True)), batches * batch_size)
        return build_report(
            list(named),
            sums.modules,
            sums.products(),
            sums.squares,
            sums.conflicting(),
            repeats,
            batches,
            batch_size,
            dropout,
        )


def check_tasks(tasks: Mapping[str, Task] | Sequence[Task]) -> dict[str, Task]:
    """The tasks by name; raises what `gradient_conflict` would raise about their number."""
    named = named_tasks(tasks)
    if len(named) < 2:
        raise SpkitError(
            "Conflict is measured between at least two tasks.", f"Found {quoted(named) or 'none'}.", "Pass two or more."
        )
    check_trained(named.values())
    return named


def check_sizes(tasks: Mapping[str, Task], batches: int, batch_size: int) -> None:
    """Raise what `gradient_conflict` would raise about batches and their size, before anything is computed.

    Args:
        tasks: what it would measure.
        batches: as it takes them.
        batch_size: likewise.

    Raises:
        SpkitError: a number out of range, or a task without two full batches.
    """
    check_batches(batches)
    for name, task in tasks.items():
        check_batch(task, batch_size)
        count = len(loss_rows(task, "train"))
        if count < 2 * batch_size:
            raise SpkitError(
                "Each task must have two full batches of training examples: noise is measured between different "
                "batches.",
                f"Found {count} example{'s' * (count != 1)} in {name!r} at batch size {batch_size}.",
                "Lower `batch_size` or give the task more examples.",
            )


def _pass_by(
    model: SentenceTransformer, streams: list[TaskBatches], sums: GradientSums, batches: int, progress: bool
) -> list[set[int]]:
    """Put every micro-batch's gradient into the sums; which rows of each task were used."""
    sources = [stream.rows() for stream in streams]
    used: list[set[int]] = [set() for _ in streams]
    with tqdm(
        total=len(streams) * batches, desc="gradients", unit="batch", disable=not (progress and is_main())
    ) as bar:
        for turn in range(batches // ROUND):
            own = is_own(turn)
            for number, stream in enumerate(streams):
                for place in range(ROUND):
                    rows = next(sources[number])
                    used[number].update(rows)
                    if own:
                        stream.backward(stream.collate(rows))
                        sums.put(number, place, model)
                    bar.update()
            sums.close_round(own)
        sums.share()
    return used


def _warn_of_repeats(repeats: Mapping[str, float], examples: int) -> None:
    again = {name: times for name, times in repeats.items() if times > 1}
    if again and is_main():
        warnings.warn(
            f"Conflict: {examples} examples are drawn of each task, more than fill different batches of "
            f"{', '.join(f'{name!r} (each {times:.1f} times)' for name, times in again.items())}. Batches that share "
            "examples share noise: the ceiling is too high, and the corrected cosine too near to the raw one. "
            "Lower `batches` or `batch_size`.",
            UserWarning,
            stacklevel=3,
        )
