"""Sweeps: what merged models score along one direction, length, μ or probe size, and where the search ended."""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any, Literal

import pandas as pd
import torch
from tqdm.auto import tqdm

from spkit.errors import SpkitError, check_choice, quoted
from spkit.evaluation import evaluate
from spkit.hashing import text_hash
from spkit.launcher import is_main
from spkit.searching.choices import Over
from spkit.searching.journal import Journal, JournalFolder
from spkit.searching.measurements import identity
from spkit.searching.objective import Objective
from spkit.searching.probe import Probe
from spkit.searching.result import PositionResult
from spkit.searching.sweep_points import (
    SweepPoint,
    direction_points,
    grid,
    length_points,
    searched_points,
    vector_pairs,
)
from spkit.tasks import Task
from spkit.vectors.coefficients import Coefficients, ModuleCoefficients
from spkit.vectors.task_vectors import TaskVectors

#: Which sweeps an argument belongs to.
_BELONGS: dict[str, tuple[Over, ...]] = {
    "pairs": ("direction",),
    "length": ("direction",),
    "around": ("length",),
    "probe": ("mu", "probe_size"),
    "probe_seeds": ("probe_size",),
    "settings": ("mu", "probe_size"),
}


def sweep(
    vectors: TaskVectors,
    tasks: Mapping[str, Task] | Sequence[Task],
    over: Over,
    *,
    values: Sequence[int | float] | None = None,
    mark: PositionResult | None = None,
    pairs: Sequence[Sequence[str]] | None = None,
    length: float | None = None,
    around: PositionResult | Coefficients | ModuleCoefficients | None = None,
    probe: Probe | None = None,
    probe_seeds: Sequence[int] | None = None,
    split: Literal["dev", "test"] = "dev",
    score: bool = True,
    scored: Mapping[str, Task] | Sequence[Task] | None = None,
    batch_size: int = 32,
    journal: str | Path | None = None,
    seed: int = 0,
    progress: bool = True,
    **settings: Any,
) -> pd.DataFrame:
    """What matters for a merge: scores and losses while one thing changes, with the searched position marked.

    - `"direction"`: from one expert to another, for each pair: x = a_j / (a_i + a_j) on the paper's SLERP of the two
      vectors alone, the others left out. x = 0 and x = 1 at length 1 are the experts themselves.
    - `"length"`: the λ of a fixed direction. λ = 0 is the base.
    - `"mu"`: where the search ends with each weight μ of the length.
    - `"probe_size"`: where the search ends on parts of the probe, with the tasks in the ratio of the whole.

    A sweep shows and chooses nothing, so that it may be scored on the test splits too. Each position is measured once,
    however many rows it stands in.

    Args:
        vectors: the task vectors, or a sparsified set of them.
        tasks: what to measure on, as `load_tasks` gives them or as a list.
        over: what changes.
        values: where, each once. `"direction"`: 0 to 1 (default: in steps of 0.1); `"length"`: 0 or more (0 to 2 in
            steps of 0.2); `"mu"`: 0 or more (0, 0.003, 0.01, 0.03, 0.1); `"probe_size"`: examples, up to those of the
            probe (64, 128, 256, 512, 1024, cut to those that give each task a batch and to the whole probe).
        mark: a searched position in the span of `vectors`, which gets marked rows of its own. Its x (for each pair)
            and λ are those of its coefficients on the paper's path, of their mean over modules where it has several;
            its μ and probe size are those of its settings. It keeps its own coefficients: where these are of more than
            the two vectors, or not along the direction that is swept, it stands beside the curve. Coefficients that
            are not positive count as a_i = 0, and a pair of two such vectors has no mark.
        pairs: of `"direction"`: pairs of names; None is every pair.
        length: of `"direction"`: λ, positive; None is that of `mark`, 1 without one.
        around: of `"length"`: a position or coefficients that give the direction; None is that of `mark`, or the
            fold of all vectors with equal weights without one.
        probe: of `"mu"` and `"probe_size"`: the examples to search on.
        probe_seeds: of `"probe_size"`: each draws parts of its own (default: `seed`). With the same seed a smaller part
            is contained in a larger one; the whole probe is the same for all.
        split: what the scores are of.
        score: whether to score the models; without it only the losses are measured, which is cheap.
        scored: what to score, where that is not `tasks`: unseen tasks, too, or the members of a pool. Nothing else
            reads these. Two means are added then, `mean` over the trained ones and `unseen mean`.
        batch_size: examples of each task in a batch, of the losses and of the searches.
        journal: a folder in which each search keeps its evaluations and each position its measurement, in files of
            their own. A sweep that was stopped goes on from them; other sweeps of the same vectors, tasks and settings
            may share it. None keeps nothing.
        seed: of the batches, the searches and the bootstrap.
        progress: whether to show progress bars.
        settings: of `"mu"` and `"probe_size"`: all else that `spkit.self_position` takes.

    Returns:
        A long table, a row for each position, task and metric: `over`, `pair` ("a+b", empty for other sweeps), `value`,
        `probe_seed` (of `"probe_size"` alone; for the marked row that of its own probe), `task`, `role`, `metric`,
        `score`, `low`, `high` (points, 95 % interval over examples, as `spkit.evaluate`; absent without `score`),
        `loss` (the task's own, on its whole dev split; NaN of what is only scored), `coefficient:<task vector>` (mean
        over modules), `length` (λ of these; of `"mu"` and `"probe_size"` as the searched path counts it), and `marked`.
        Its `attrs["examples"]` is the number of examples that searches and losses embedded.

    Raises:
        SpkitError: an unknown `over` or `split`, an argument of another sweep, a value out of range or given twice,
            a pair that is none of two vectors, a single vector for `"direction"`, two vectors that are zero or point
            in opposite directions, no probe where one is needed, positions that are not in the span of `vectors` or
            have no length, a journal that is no folder or of other data, or what `self_position` raises.
        KeyboardInterrupt: it was interrupted; with a `journal` it goes on when called again.

    References:
        Li et al., arXiv 2410.15035: the sweeps over direction and length, over μ, and over the size of the probe.
        Wortsman et al., "Robust fine-tuning of zero-shot models", arXiv 2109.01903: the length of one vector.

    Example:
        Keep what the base knew: an expert and its base are one vector, and how much of it to add is one number. Its
        scores on the own task and on unseen ones show what each length gains and loses; `vectors.at([0.5])` is the
        model.

        >>> from spkit import load_base, load_tasks, train
        >>> base = load_base("minilm-l3", max_seq_length=16)
        >>> tasks = load_tasks("bundled", names=["chat", "colours"])  # nobody trains on colours
        >>> expert = train(base, tasks["chat"], steps=2, progress=False)
        >>> vectors = TaskVectors.from_models(base, {"chat": expert})
        >>> settings = {"values": [0, 0.5], "scored": tasks, "split": "test", "progress": False}
        >>> table = sweep(vectors, {"chat": tasks["chat"]}, "length", **settings)
        >>> table.pivot_table("score", "value", "task").columns.tolist()
        ['chat', 'colours', 'mean', 'unseen mean']
    """
    given = {"pairs": pairs, "length": length, "around": around, "probe": probe, "probe_seeds": probe_seeds}
    _check_arguments(over, split, {**given, "settings": settings or None})
    named = _named(tasks)
    to_score = named if scored is None else _named(scored)
    if mark is not None:
        _check_span("mark", mark, vectors)
    journals = JournalFolder(journal)
    held_back = Probe(named, {name: task.splits["dev"] for name, task in named.items()}, "dev", seed)
    objective = Objective(vectors, held_back, batch_size, seed=seed)  # what it would refuse is said before any search
    searched = 0
    if over in ("mu", "probe_size"):
        if probe is None:
            raise SpkitError(
                f"A sweep over {over!r} searches a position for each value, which takes a `probe`.",
                "Found none.",
                "Pass `probe=spkit.Probe.sample(tasks)`.",
            )
        searching = {**settings, "batch_size": batch_size, "seed": seed, "progress": progress}
        seeds = [seed] if probe_seeds is None else list(probe_seeds)
        points, searched = searched_points(vectors, probe, over, values, seeds, mark, journals, searching)
    elif over == "direction":
        if length is not None and not 0 < length < math.inf:
            raise SpkitError("`length` must be positive and finite.", f"Found {length}.", "Pass 1.0, for example.")
        points = direction_points(vectors, vector_pairs(vectors, pairs), grid(over, values), length, mark)
    else:
        around = mark if around is None else around
        if isinstance(around, PositionResult):
            _check_span("around", around, vectors)
            around = around.rows
        rows = None if around is None else vectors.coefficients(around)
        points = length_points(vectors, rows, grid(over, values), mark)

    @cache  # it takes reading every vector and text
    def all_settings() -> dict[str, Any]:
        about = {"split": split, "score": score, "batch_size": batch_size, "seed": seed}
        return about | identity(vectors) | {"tasks": {name: task.fingerprint() for name, task in named.items()}}

    def measure(rows: torch.Tensor) -> dict[str, Any]:
        before = sum(objective.examples.values())
        losses = objective.task_losses(rows)
        measured = {"losses": losses, "examples": sum(objective.examples.values()) - before}
        if not score:
            return {**measured, "scores": [{"task": name} for name in losses]}
        scores = evaluate(vectors.at(rows), to_score, split=split, seed=seed, means=scored is not None)
        return {**measured, "scores": scores.drop(columns=["n", "seconds"]).to_dict("records")}

    # What is scored is a part of a position's name: of another, the searches in the same journal go on.
    scoring = [] if scored is None else [task.fingerprint() for task in to_score.values()]
    keys = [text_hash(json.dumps(point.rows.tolist()), *scoring)[:24] for point in points]
    measured = _measured(dict(zip(keys, points, strict=True)), measure, journals, all_settings, progress)
    table = pd.DataFrame(
        [row for key, point in zip(keys, points, strict=True) for row in _rows(over, vectors, point, measured[key])]
    )
    table.attrs["examples"] = searched + sum(one["examples"] for one in measured.values())
    return table


def _measured(
    points: Mapping[str, SweepPoint],
    measure: Callable[[torch.Tensor], dict[str, Any]],
    journals: JournalFolder,
    settings: Callable[[], dict[str, Any]],
    progress: bool,
) -> dict[str, dict[str, Any]]:
    """Losses and scores at different coefficients, by their hash, each kept in a journal of its own."""
    measured = {}
    for key, point in tqdm(points.items(), desc="sweep", unit="point", disable=not (progress and is_main())):
        journal = Journal(journals.file(f"position_{key}"), settings)
        measured[key] = journal.entry(partial(measure, point.rows))
    return measured


def _rows(over: str, vectors: TaskVectors, point: SweepPoint, measured: Mapping[str, Any]) -> list[dict[str, Any]]:
    place: dict[str, Any] = {"over": over, "pair": point.pair, "value": float(point.value)}
    if point.probe_seed is not None:
        place["probe_seed"] = point.probe_seed
    means = zip(vectors.names, point.rows.mean(0).tolist(), strict=True)
    position = {f"coefficient:{name}": value for name, value in means}
    position |= {"length": point.length, "marked": point.marked}
    losses = measured["losses"]
    unknown = float("nan")
    return [{**place, **score, "loss": losses.get(score["task"], unknown), **position} for score in measured["scores"]]


def _named(tasks: Mapping[str, Task] | Sequence[Task]) -> dict[str, Task]:
    listed = list(tasks.values()) if isinstance(tasks, Mapping) else list(tasks)
    named = {task.name: task for task in listed}
    if not named or len(named) < len(listed):
        raise SpkitError(
            "`tasks` must hold one task or more, each with a name of its own.",
            f"Found {quoted(task.name for task in listed) or 'none'}.",
            'Pass `load_tasks("bundled")`, for example.',
        )
    return named


def _check_arguments(over: str, split: str, given: Mapping[str, Any]) -> None:
    """Raise for a word that is unknown and an argument that would have no effect."""
    check_choice("over", over, Over)
    if split not in ("dev", "test"):
        raise SpkitError("`split` must be 'dev' or 'test'.", f"Found {split!r}.", "Pass one of the two.")
    for name, value in given.items():
        if value is not None and over not in _BELONGS[name]:
            what = f"{quoted(value)}, which `self_position` takes" if name == "settings" else f"`{name}`"
            raise SpkitError(
                "An argument must belong to what is swept.",
                f"Found {what}, in a sweep over {over!r}; it belongs to {quoted(_BELONGS[name])}.",
                "Leave it out.",
            )
    if over == "mu" and "mu" in (given["settings"] or {}):
        raise SpkitError(
            "`mu` must be left to `values`: each search has its own.",
            f"Found {given['settings']['mu']} beside `values`.",
            "Leave it out.",
        )


def _check_span(name: str, position: PositionResult, vectors: TaskVectors) -> None:
    own = position.vectors
    same = own.base_hash == vectors.base_hash and own.names == vectors.names
    if not same or not torch.allclose(own.gram(), vectors.gram()):
        raise SpkitError(
            f"`{name}` must be a position in the span of `vectors`.",
            f"Found one of {quoted(own.names)}, which are other vectors than the given {quoted(vectors.names)}.",
            f"Pass `{name}.vectors` as `vectors`.",
        )
