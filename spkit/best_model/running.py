"""`best`: what is asked for is read and checked, its steps are run, and a report is made of them."""

import shutil
import tempfile
import weakref
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import combinations
from pathlib import Path

from sentence_transformers import SentenceTransformer

from spkit._extras import require
from spkit.best_model.candidates import Job
from spkit.best_model.checks import STEPS, check_given, twice
from spkit.best_model.examples import examples_of
from spkit.best_model.report import Report
from spkit.best_model.steps import Run
from spkit.locks import locked
from spkit.models.kept_apart import check_kept_apart
from spkit.tasks.loading import load_tasks
from spkit.tasks.named import named_tasks
from spkit.tasks.task import Task
from spkit.vectors.task_vectors import TaskVectors

#: A model in memory, its folder, or its hub id.
Model = SentenceTransformer | str | Path
Tasks = Mapping[str, Task] | Sequence[Task] | str | Path


def best(
    base: Model,
    models: Mapping[str, Model],
    tasks: Tasks,
    *,
    output: str | Path | None = None,
    seed: int = 0,
    budget: int = 60,
    check_origin: bool = True,
    progress: bool = True,
    command: str | None = None,
) -> Report:
    """Find the best model that can be made of fine-tunes of one base, and say how sure that is.

    Candidates are the models themselves, the base, every merge rule at its defaults, mixes of a joint model with the
    others, a search by few evaluations and one by gradient from the best position. All are scored with mteb's metrics
    on dev examples, as in the final test, so that the pick is made by what the model is for. Half of dev is kept for
    the searches alone, which hold back a quarter of it: none returns what is worse there than where it began. The best
    one is tested once, on the test examples and on tasks that nobody trained on, beside the given models. Where no
    merge is ahead of the best given model on dev, that model is the answer.

    Args:
        base: what the models were trained from.
        models: by name. A model that is called like a task is its expert; any other is a joint model, a checkpoint, or
            what you like.
        tasks: what the models are for, as `load_tasks` gives them, or the path of a task file. Each has a `test` that
            no model was trained on (one that is taken from `train` is refused, unless `spkit.train` kept it apart).
            Without `dev` a part of `train` picks, or where there is none half of `test`. Tasks that no model is called
            like, with `test` alone, are unseen: scored, and never chosen by.
        output: a folder for the report, in which steps are kept: what was stopped goes on there. None keeps nothing;
            `Report.save` writes the report then.
        seed: of everything random.
        budget: evaluations of the search by score, beside those of its starts; 2 or more.
        check_origin: whether to refuse models of another base; see `TaskVectors.from_models`.
        progress: whether to show progress bars.
        command: what the report says makes it again.

    Returns:
        The report: `model()`, `table`, `verdict`, `save(folder)`.

    Raises:
        SpkitError: models that do not belong together, names that mean something else here, tasks whose test is a part
            of their training file, or examples too few to be divided.

    Example:
        >>> import spkit
        >>> report = spkit.best("minilm-l3", {"faq": "runs/faq", "sts": "runs/sts"}, "my_tasks.toml")  # doctest: +SKIP
        >>> report.verdict  # doctest: +SKIP
    """
    if output is not None:
        require("matplotlib", "A report")
    job = prepared(base, models, tasks, output, seed, budget, check_origin, progress)
    with _folder(output) as root:
        run = Run(job, root)
        results = run.all()
        report = Report(results.data(job, base, command), partial(run.model, results.picked))
        if output is None:  # a search's position lies there, from which the model is made
            weakref.finalize(report, shutil.rmtree, root, ignore_errors=True)
        else:
            report.save(output)
    return report


def prepared(
    base: Model,
    models: Mapping[str, Model],
    tasks: Tasks,
    output: str | Path | None = None,
    seed: int = 0,
    budget: int = 60,
    check_origin: bool = True,
    progress: bool = True,
) -> Job:
    """Read what is asked about, and check that the models belong together; nothing is written."""
    check_given(models, output, budget)
    loaded = load_tasks(tasks) if isinstance(tasks, str | Path) else named_tasks(tasks)
    check_kept_apart(models.values(), loaded.values())
    examples = examples_of(loaded, models)
    vectors = TaskVectors.from_models(base, models, check_origin=check_origin)
    for (first, one), (second, other) in combinations(zip(vectors.names, vectors.matrix, strict=True), 2):
        if one.equal(other):
            raise twice(first, second, "")
    experts = tuple(name for name in models if name in loaded)
    journals = None if output is None else Path(output).expanduser() / STEPS / "journals"
    return Job(vectors, dict(models), examples, experts, budget, seed, journals, progress)


@contextmanager
def _folder(output: str | Path | None) -> Iterator[Path]:
    """Where steps are kept, locked while they run; a temporary folder goes where they fail."""
    root = Path(tempfile.mkdtemp(prefix="spkit-") if output is None else output).expanduser()
    try:
        with locked(root / STEPS, "A report must be made by one process at a time."):
            yield root
    except BaseException:
        if output is None:
            shutil.rmtree(root, ignore_errors=True)
        raise
