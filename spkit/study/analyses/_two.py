"""Two task vectors in both pipelines: what the analyses behind the paper's figures share.

The paper's setting has two tasks. A study of more names the `pair` that such an analysis is about; its merges and
searches then hold these two vectors alone.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from spkit.code_hash import code_hash
from spkit.errors import SpkitError, quoted
from spkit.hashing import text_hash
from spkit.searching.probe import Probe
from spkit.searching.result import PositionResult, load_position, whole
from spkit.searching.self_position import self_position
from spkit.study.analyses._pairs import check_pairs
from spkit.study.analysis_settings._two import Pipeline, TwoSettings
from spkit.study.graph import TASK, Passes
from spkit.study.profile import Profile
from spkit.study.seed_run import SeedRun
from spkit.study.stages.merging import save_search
from spkit.tasks import Task
from spkit.vectors.task_vectors import TaskVectors

_PLACES: dict[Pipeline, str] = {"separate": "", "sequential": "sequential/"}


def check_two(name: str, settings: TwoSettings, profile: Profile, tasks: Mapping[str, Task]) -> None:
    """Raise where there are no two vectors to merge, or no such pipeline.

    Args:
        name: of the analysis.
        settings: its settings.
        profile: of the study.
        tasks: what the study trains on.
    """
    if settings.pair is None and len(tasks) != 2:
        raise SpkitError(
            "`pair` must name the two tasks whose vectors are merged, where a study has more than two.",
            f"Found none, and the tasks {quoted(tasks)}.",
            f"Write pair = {list(tasks)[:2]}, for example.",
        )
    check_pairs([] if settings.pair is None else [settings.pair], tasks, "pair")
    if "sequential" in settings.pipelines:
        _check_sequential(name, settings, profile, tasks)


def _check_sequential(name: str, settings: TwoSettings, profile: Profile, tasks: Mapping[str, Task]) -> None:
    """The analysis `sequential` makes the vectors of that pipeline: before, with the same seeds, of these tasks."""
    order = list(profile.analyses)
    if "sequential" not in order or (name in order and order.index("sequential") > order.index(name)):
        raise SpkitError(
            'The pipeline "sequential" needs the vectors that the analysis `sequential` makes.',
            f"Found the analyses {quoted(order) or 'none'}.",
            f'Put a table [sequential] before [{name}], or write pipelines = ["separate"].',
        )
    seeds = profile.seeds if settings.every_seed else profile.seeds[:1]
    if not set(seeds) <= set(profile.seeds_of("sequential")):
        raise SpkitError(
            'The pipeline "sequential" needs the analysis `sequential` on the same seeds.',
            f"Found `every_seed` here alone, with the seeds {list(seeds)}.",
            "Write every_seed = true in [sequential], too.",
        )
    trained = profile.analyses["sequential"].order or tuple(tasks)
    if not set(pair_of(settings, tasks)) <= set(trained):
        raise SpkitError(
            "`pair` must be among the tasks of the sequential training.",
            f"Found {quoted(pair_of(settings, tasks))}, where `order` of [sequential] has {quoted(trained)}.",
            "Add them to its `order`, or leave `order` out.",
        )


def pair_of(settings: TwoSettings, tasks: Iterable[str]) -> tuple[str, str]:
    """Names of the two tasks; what `check_two` has let through."""
    first, second = settings.pair or tuple(tasks)
    return first, second


def vectors_of(pipeline: Pipeline) -> str:
    """The stage that leaves a pipeline's task vectors."""
    return f"{_PLACES[pipeline]}vectors"


def span_of(run: SeedRun, pipeline: Pipeline, pair: Sequence[str]) -> TaskVectors:
    """The two task vectors of a pipeline."""
    vectors = run.vectors(vectors_of(pipeline))
    return vectors if vectors.names == tuple(pair) else vectors.select(pair)


def tasks_of(run: SeedRun, pair: Sequence[str]) -> dict[str, Task]:
    """What the two vectors were trained on."""
    return {name: run.tasks[name] for name in pair}


def pair_probing(profile: Profile, pair: Sequence[str], tasks: int) -> dict[str, Any]:
    """How the probe of a pair is drawn: as large for each of the two as in the probe of the whole study."""
    probing = profile.probe.arguments()
    if isinstance(probing["balance"], Mapping):
        probing["balance"] = {name: share for name, share in probing["balance"].items() if name in pair}
    return probing | {"size": profile.probe.size * len(pair) // tasks}


def probe_of(run: SeedRun, pair: Sequence[str], **changed: Any) -> Probe:
    """The probe of the pair; that of the study where it has no other tasks."""
    probing = pair_probing(run.profile, pair, len(run.tasks)) | changed
    return Probe.sample(tasks_of(run, pair), seed=run.seed, **probing)


def task_needs(names: Iterable[str]) -> list[str]:
    """Tasks as needs of a stage, each once."""
    return [f"{TASK}{name}" for name in dict.fromkeys(names)]


def search_needs(run: SeedRun, pipeline: Pipeline, pair: Sequence[str]) -> list[str]:
    """What `position_of` and `searched` read: the vectors, the position with the study's settings, and the tasks.

    In a study of these two tasks the position is that of the study's own search; in one of more, the pair gets a search
    of its own, which is declared here once.
    """
    stage = _position_stage(run, pipeline, pair)
    if stage not in run.nodes:
        _declare_search(run, pipeline, pair, stage)
    return [vectors_of(pipeline), stage, *task_needs(pair)]


def position_of(run: SeedRun, pipeline: Pipeline, pair: Sequence[str]) -> PositionResult:
    """The position that the search with the study's settings gave between the two vectors."""
    return load_position(run.folder(_position_stage(run, pipeline, pair)) / "model", span_of(run, pipeline, pair))


def _position_stage(run: SeedRun, pipeline: Pipeline, pair: Sequence[str]) -> str:
    names = list(run.tasks)
    if pipeline == "sequential":
        names = list(run.profile.analyses["sequential"].order or names)
    own = _PLACES[pipeline]
    return f"{own}search/self_position" if names == list(pair) else f"{own}search/{'+'.join(pair)}"


def _declare_search(run: SeedRun, pipeline: Pipeline, pair: Sequence[str], stage: str) -> None:
    settings, probing = run.profile.search.arguments(), pair_probing(run.profile, pair, len(run.tasks))

    def work(folder: Path) -> Mapping[str, Any]:
        result = self_position(span_of(run, pipeline, pair), probe_of(run, pair), seed=run.seed, **settings)
        save_search(result, folder)
        return {"examples": result.examples}

    config = {"probe": probing, "pair": list(pair), **settings}
    run.add(stage, config, [vectors_of(pipeline), *task_needs(pair)], work, search_passes(run, 1))


def searched(
    run: SeedRun, pipeline: Pipeline, pair: Sequence[str], probing: Mapping[str, Any] | None = None, **changed: Any
) -> PositionResult:
    """A search with some of the study's settings changed, which goes on where it was stopped.

    Analyses that ask for the same search share it; without any change it is the study's own.

    Args:
        run: the seed.
        pipeline: whose vectors.
        pair: names of the two.
        probing: how its probe is drawn, where that is changed.
        changed: settings of `self_position`.

    Raises:
        KeyboardInterrupt: it was interrupted.
    """
    usual = run.profile.search.arguments()
    settings = usual | changed
    if settings == usual and not probing:
        return position_of(run, pipeline, pair)
    about = [pair, settings, dict(probing or {}), run.profile.probe.arguments(), run.seed, code_hash(self_position)]
    read = run.inputs([vectors_of(pipeline), *task_needs(pair)])
    journal = run.journals / f"search-{text_hash(json.dumps([about, read]))[:16]}.jsonl"
    probe = probe_of(run, pair, **(probing or {}))
    return whole(self_position(span_of(run, pipeline, pair), probe, journal=journal, seed=run.seed, **settings))


def search_passes(run: SeedRun, searches: int) -> Passes:
    """What searches between the two vectors embed."""
    settings = run.profile.search
    return Passes(backward=searches * settings.steps * settings.batch_size * 2)
