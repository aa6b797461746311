"""Opening the explorer: on vectors and tasks, or on what a study left."""

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from jaxtyping import Float
from sentence_transformers import SentenceTransformer

from spkit.errors import SpkitError
from spkit.evaluation.means import MEANS, UNSEEN
from spkit.explorer.exploration import Exploration
from spkit.explorer.quick_scores import EXAMPLES
from spkit.models.loading import Precision
from spkit.results.frames import rows
from spkit.results.labels import family, method_label, without_means
from spkit.results.schema import SCORES
from spkit.searching.result import PositionResult
from spkit.study.places import check_explorable, vectors_folder
from spkit.study.report import SUMMARY
from spkit.study.seed_run import slug
from spkit.tasks import Task
from spkit.tasks.named import named_tasks
from spkit.vectors.coefficients import ModuleCoefficients
from spkit.vectors.task_vectors import TaskVectors

_SEARCHES = {"self_position": "Self Positioning", "self_position:module": "by module (mean)"}
#: A search by module, as it is.
_EXACT = ("self_position:module", "by module")

if TYPE_CHECKING:
    from spkit.explorer.view import Explorer


def explore(
    vectors: TaskVectors | str | Path,
    tasks: Mapping[str, Task] | Sequence[Task],
    *,
    result: PositionResult | None = None,
    positions: Mapping[str, Sequence[float]] | None = None,
    way: Float[np.ndarray, "S N"] | None = None,
    joint: SentenceTransformer | str | Path | None = None,
    merges: Mapping[str, SentenceTransformer | str | Path] | None = None,
    by_module: Mapping[str, ModuleCoefficients] | None = None,
    verdict: str = "",
    source: str | Path | None = None,
    target: str | Path = "runs/explored",
    folder: str | Path | None = None,
    points: int | None = None,
    examples: int = EXAMPLES,
    max_tokens: int = 32,
    seed: int = 0,
    precision: Precision = "float32",
    progress: bool = True,
    found: Mapping[str, Sequence[float]] | None = None,
) -> "Explorer":
    """A widget with a slider for each task vector, which shows the scores of a position while you move it.

    First some positions are measured on short examples of each task's dev split (two to three minutes for a small
    encoder on two cores; `folder` keeps them). While a slider is dragged, scores are interpolated between measured
    positions and labelled so, with their cross-validated error; at rest the position itself is measured, and joins the
    points.

    Tasks of the role "unseen" are shown apart, and can be switched off: measured at rest, after the others, on a few
    examples of their test splits. They are for looking: interpolation, contours and points are of the trained tasks
    alone.

    Args:
        vectors: the task vectors, or the folder they were saved to.
        tasks: what positions are scored on. A pool is seen by its members, where they are among the tasks.
        result: a search's result: its position and its steps are drawn on the map.
        positions: other positions to mark, by name, one coefficient a vector.
        way: coefficients of a search, step after step, to draw on the map; None takes those of `result`.
        joint: a jointly trained model to compare with, or its folder.
        merges: merges to compare with that are no position between these vectors, such as TIES, or their folders; by
            name.
        by_module: positions with coefficients for each module, by name: shown as they are, and beside them on the map
            the nearest position with one coefficient a vector.
        verdict: what a study found, in words.
        source: the folder that "copy as code" loads the vectors from; None is the one given as `vectors`, if it is one.
        target: the folder that "save model" proposes.
        folder: where measured points are kept; None forgets them.
        points: positions measured first; None is 24 for each vector and the length.
        examples: of each task, at most.
        max_tokens: at which texts are cut.
        seed: of the examples and the positions.
        precision: `"bfloat16"` embeds texts in numbers of 8 bits: faster where the processor or GPU computes with them;
            scores move by a few tenths.
        progress: whether to show a progress bar.
        found: the former name of `positions`.

    Returns:
        The widget, which a notebook shows; `place`, `reading`, `go`, `save`, `code` and `close` are for programs.

    Raises:
        SpkitError: no task that is trained on, or tasks without enough examples to look at.

    References:
        arXiv 2410.15035: the space between the models, and the searched position in it.
    """
    from spkit.explorer.view import Explorer

    if not isinstance(vectors, TaskVectors):
        source, vectors = source or vectors, TaskVectors.load(vectors)
    if found is not None:
        warnings.warn("`found` is called `positions` now: write explore(positions=...).", FutureWarning, stacklevel=2)
        positions = found
    marked = dict(positions or {})
    if result is not None:
        if result.vectors.names != vectors.names:
            raise SpkitError(
                "`result` must be of a search over the same task vectors.",
                f"Found {result.vectors.names} and {vectors.names}.",
                "Pass `result.vectors`.",
            )
        if len(result.rows) > 1:
            by_module = {
                "search result by module": dict(zip(vectors.modules, result.rows, strict=True)),
                **(by_module or {}),
            }
        marked = {"search result": result.rows.mean(0).tolist(), **marked}
        if way is None:
            way = result.history[[f"coefficient:{name}" for name in vectors.names]].to_numpy(dtype=float)
    exploration = Exploration(
        vectors,
        tasks,
        marked=marked,
        joint=joint,
        merges=merges,
        by_module=by_module,
        folder=folder,
        points=points,
        examples=examples,
        max_tokens=max_tokens,
        seed=seed,
        precision=precision,
        progress=progress,
    )
    start = next(iter(marked), "average")
    return Explorer(exploration, way, verdict, start, None if source is None else str(source), str(target))


def explore_study(
    run: str | Path,
    tasks: Mapping[str, Task] | Sequence[Task] | str | Path = "bundled",
    seed: int = 0,
    data: str | Path | None = None,
    **options: Any,
) -> "Explorer":
    """The explorer on a finished study: its vectors, joint model, best fixed merges, search, verdict.

    Args:
        run: the study's folder, such as `runs/demo`.
        tasks: the study's tasks, or the task file they came from. Of these, the tasks with a vector are looked at,
            members of pools with one, and those that the study scored as unseen.
        seed: which of the study's seeds.
        data: folder of the task file's data files, where they do not lie beside it.
        options: of `explore`.

    Returns:
        The widget. Measured points are kept in the study's folder.

    Raises:
        SpkitError: the study has not made its vectors yet.
    """
    from spkit.tasks import load_tasks

    root, folder = Path(run) / f"seed{seed}", vectors_folder(run, seed)
    check_explorable(run, seed)
    vectors, scores = TaskVectors.load(folder), _scores(Path(run), seed)
    unseen = without_means(scores.loc[scores["role"] == UNSEEN, "task"])
    if isinstance(tasks, str | Path):
        loaded = load_tasks(tasks, [*vectors.names, *unseen] if tasks == "bundled" else None, data)
        pooled = {one for name in vectors.names if name in loaded for one in loaded[name].members}
        # A task file may hold more tasks than the study was about; vectors may have names that are no task's.
        wanted = {*vectors.names, *pooled, *unseen}
        named = {name: task for name, task in loaded.items() if name in wanted}
        tasks = named if any(name in vectors.names for name in named) else loaded
    # What the study only scored is not chosen by here, either, though its task may have a dev split.
    tasks = {name: task.as_unseen() if name in unseen else task for name, task in named_tasks(tasks).items()}
    joints = [root / made / "joint" / "model" for made in ("train", "given")]
    settings: dict[str, Any] = {
        "positions": _searched(Path(run), seed, vectors.names),
        "way": _way(Path(run), seed, vectors.names),
        "joint": next((joint for joint in joints if joint.is_dir()), None),
        "merges": _best_merges(root, scores),
        "by_module": _by_module(Path(run), seed, vectors),
        "verdict": _verdict(Path(run)),
        "source": folder,
        "target": Path(run).resolve().parent / "explored",
        "folder": root / "explore",
        "seed": seed,
    }
    return explore(vectors, tasks, **{**settings, **options})


def _scores(run: Path, seed: int) -> pd.DataFrame:
    """A seed's rows of the study's table of scores; none where it has none yet."""
    path = run / SCORES.file
    if not path.is_file():
        return pd.DataFrame({name: [] for name in SCORES.columns})
    table = SCORES.checked(pd.read_csv(path))
    return rows(table, table["seed"] == seed)


def _best_merges(root: Path, scores: pd.DataFrame) -> dict[str, Path]:
    """The model of the best fixed merge on each of the two means, by its label: it is picked in its favour."""
    merges = rows(scores, [family(method) in ("merge", "tuned") for method in scores["method"]])
    models = {}
    for mean in MEANS:
        means = rows(merges, merges["task"] == mean).set_index("method")["score"]
        if len(means):
            best = str(means.idxmax())
            made = root / ("tune" if family(best) == "tuned" else "merge") / slug(best) / "model"
            if made.is_dir():
                models[method_label(best)] = made
    return models


def _searched(run: Path, seed: int, names: Sequence[str]) -> dict[str, list[float]]:
    """Positions that the study's searches found; the mean over the modules of a search by module."""
    path = run / "coefficients.csv"
    if not path.is_file():
        return {}
    table = pd.read_csv(path)
    positions = {}
    for method, label in _SEARCHES.items():
        chosen = table[(table["method"] == method) & (table["seed"] == seed)]
        means = chosen.groupby("task")["coefficient"].mean()
        if set(names) <= set(means.index):
            positions[label] = [float(means[name]) for name in names]
    return positions


def _by_module(run: Path, seed: int, vectors: TaskVectors) -> dict[str, ModuleCoefficients]:
    """The position that the study's search by module ended at, with the coefficients of each module."""
    path = run / "coefficients.csv"
    if not path.is_file():
        return {}
    table = pd.read_csv(path)
    chosen = rows(table, (table["method"] == _EXACT[0]) & (table["seed"] == seed))
    if set(chosen["module"]) != set(vectors.modules) or set(chosen["task"]) != set(vectors.names):
        return {}
    wide = chosen.pivot_table(index="module", columns="task", values="coefficient")
    coefficients = wide.loc[list(vectors.modules), list(vectors.names)].to_numpy().tolist()
    return {_EXACT[1]: dict(zip(vectors.modules, coefficients, strict=True))}


def _way(run: Path, seed: int, names: Sequence[str]) -> Float[np.ndarray, "S N"] | None:
    """The way of the search with one coefficient a task."""
    path = run / "history.csv"
    if not path.is_file():
        return None
    table = pd.read_csv(path)
    chosen = table[(table["method"] == "self_position") & (table["seed"] == seed)]
    if chosen.empty or not set(names) <= set(chosen["task"]):
        return None
    return chosen.pivot_table(index="step", columns="task", values="coefficient")[list(names)].to_numpy()


def _verdict(run: Path) -> str:
    path = run / SUMMARY
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    return " ".join(line.partition("**Verdict.**")[2].strip() for line in lines if "**Verdict.**" in line)
