"""The graph of a study, its plan, and its engines: the same tables in one process, in two, and on a cluster."""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache, partial
from multiprocessing import active_children
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pandas as pd
import pytest
from distributed import LocalCluster
from distributed.scheduler import KilledWorker

from spkit.errors import SpkitError
from spkit.study import load_profile, run_study
from spkit.study import workers as starting
from spkit.study.declared import declare
from spkit.study.graph import check_needs
from spkit.study.plan import in_words, longest_way, plan
from spkit.study.workers import check_engine, on_cluster, side_by_side
from tests.tiny import WORDS, tiny_encoder, tiny_tasks

PROFILE = """
base = "base"
tasks = "tasks.toml"
names = ["faq", "likeness"]
seeds = [3]
training = {steps = 4, learning_rate = 3e-3, batch_size = 8}
joint = {sampling = "uniform"}
merges = {methods = ["average"], evaluations = 3}
probe = {size = 32}
search = {path = "free", steps = 2, batch_size = 8, learning_rate = 0.1}
search_module = {path = "free", steps = 1, batch_size = 8, learning_rate = 0.1}
conflict = {batches = 4, batch_size = 8}
evaluation = {resamples = 20}

[affinity]
batches = 2
batch_size = 8
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("engines")
    tiny_encoder(0, WORDS, layers=1).save(str(folder / "base"))
    lines = []
    for name, task in tiny_tasks((48, 24, 24)).items():
        lines += [f"[tasks.{name}]", f'kind = "{task.kind}"']
        for split, rows in task.splits.items():
            rows.to_json(folder / f"{name}-{split}.jsonl")
            lines.append(f'{split} = "{name}-{split}.jsonl"')
    (folder / "tasks.toml").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "small.toml").write_text(PROFILE, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def alone(home) -> tuple[Path, list[str]]:
    """The study in this process, and what it said."""
    said: list[str] = []
    return run_study(load_profile(home / "small.toml"), home / "alone", said.append), said


def tables(root: Path) -> dict[str, str]:
    """The tables of a study but for its seconds, as text: every byte counts."""
    read = {path.name: pd.read_csv(path, dtype=str) for path in sorted(root.glob("*.csv"))}
    return {name: table.drop(columns="seconds", errors="ignore").to_csv() for name, table in read.items()}


@pytest.fixture
def one_thread(monkeypatch) -> None:
    """Sums depend on the number of threads, to the last bit: the workers have as many as this process."""
    import torch

    monkeypatch.setenv("OMP_NUM_THREADS", str(torch.get_num_threads()))


def test_the_order_is_that_of_the_needs(home, alone) -> None:
    study = declare(load_profile(home / "small.toml"), home / "nowhere")
    known: set[str] = set()
    for _, node in study.nodes():
        assert set(node.stages) <= known
        known.add(node.name)
    said = [line.strip().removesuffix(" …") for line in alone[1] if line.endswith("…")]
    assert said == [*(f"seed3/{name}" for name in study.runs[3].nodes), "report"]
    assert not (home / "nowhere").exists()


def test_a_stage_reads_only_what_is_made_before() -> None:
    with pytest.raises(SpkitError, match=r"'merge', which reads 'vectors'\. Declare"):
        check_needs("merge", ["base", "task:faq", "vectors"], ["train/faq"])
    with pytest.raises(SpkitError, match="'vectors' twice"):
        check_needs("vectors", [], ["vectors"])


def test_the_plan_says_what_is_done_and_what_is_not(home, alone) -> None:
    profile = load_profile(home / "small.toml")
    before = sorted(alone[0].rglob("*"))
    done = plan(profile, alone[0])
    assert set(done["state"]) == {"done"}
    assert (done["seconds"] > 0).all()
    assert f"{len(done)} of {len(done)} stages are done" in in_words(done)
    search = profile.search.model_copy(update={"learning_rate": 0.2})
    changed = plan(profile.model_copy(update={"search": search}), alone[0]).set_index("stage")
    left = changed[changed["state"] == "to do"]
    assert list(left.index) == ["seed3/search/self_position", "seed3/evaluate/self_position"]
    assert sorted(alone[0].rglob("*")) == before


def test_the_plan_takes_times_from_records_or_from_a_batch(home, alone) -> None:
    other = load_profile(home / "small.toml").with_seeds((4,))
    table = plan(other, home / "other").set_index("stage")
    assert set(table["state"]) == {"to do"}
    assert set(table["source"]) == {"a record"}
    assert table.loc["seed4/affinity", "seconds"] > 0
    new = plan(other, home / "deeper" / "other").set_index("stage")  # no record lies beside it
    assert set(new.index[new["source"] == "unknown"]) == {"seed4/affinity", "seed4/vectors"}
    assert new.loc["seed4/train/joint", "source"] == "one batch"
    experts = new.loc[["seed4/train/faq", "seed4/train/likeness"], "seconds"]
    assert new.loc["seed4/train/joint", "seconds"] == pytest.approx(2 * experts.iloc[0])
    assert "2 of unknown length" in in_words(new.reset_index())
    assert 0 < longest_way(new.reset_index()) < new["seconds"].sum()


@pytest.mark.slow
def test_two_processes_give_the_tables_of_one_though_one_of_them_is_killed(home, alone, one_thread) -> None:
    killed: list[int] = []
    others = set(active_children())

    def say(line: str) -> None:
        mine = set(active_children()) - others
        if "/vectors …" in line and not killed:
            worker = min(mine, key=lambda process: process.pid or 0)
            killed.append(worker.pid or 0)
            os.kill(killed[0], signal.SIGKILL)
        said.append(line)

    said: list[str] = []
    root = run_study(load_profile(home / "small.toml"), home / "two", say, workers=2)
    assert killed
    assert any("a worker ended" in line for line in said)
    assert tables(root) == tables(alone[0])
    assert not set(active_children()) - others
    again: list[str] = []
    run_study(load_profile(home / "small.toml"), root, again.append, workers=2)
    assert all(line.endswith("done before") for line in again)


@pytest.mark.slow
def test_a_cluster_gives_the_tables_of_one_process_though_a_worker_is_killed(home, alone, one_thread) -> None:
    from distributed import Client

    settings = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": ":0", "memory_limit": 0}
    with LocalCluster(**settings) as cluster, Client(cluster) as client:
        pids = client.run(os.getpid)
        killed: list[int] = []

        def say(line: str) -> None:
            if "/vectors …" in line and not killed:
                killed.append(next(iter(pids.values())))
                os.kill(killed[0], signal.SIGKILL)

        root = run_study(load_profile(home / "small.toml"), home / "cluster", say, cluster=cluster.scheduler_address)
    assert killed
    made, expected = tables(root), tables(alone[0])
    assert pd.read_csv(root / "costs.csv")["stage"].tolist() == pd.read_csv(alone[0] / "costs.csv")["stage"].tolist()
    del made["costs.csv"], expected["costs.csv"]  # what a killed stage had cost before is another matter
    assert made == expected


def test_a_worker_that_cannot_finish_is_told_after_three_tries(home, tmp_path, monkeypatch) -> None:
    from concurrent.futures import Executor, Future
    from concurrent.futures.process import BrokenProcessPool
    from contextlib import contextmanager

    from spkit.study import engine

    class Broken(Executor):
        def submit(self, fn: Callable[..., object], /, *given: object, **named: object) -> Future[object]:  # pyright: ignore
            future: Future[object] = Future()
            future.set_exception(BrokenProcessPool("killed"))
            return future

    @contextmanager
    def broken(workers: int) -> Iterator[Executor]:
        yield Broken()

    monkeypatch.setattr(engine, "side_by_side", broken)
    said: list[str] = []
    with pytest.raises(SpkitError, match=r"ended 3 times while 'seed3/train/faq'.* Look whether the memory"):
        run_study(load_profile(home / "small.toml"), tmp_path / "run", said.append, workers=2)
    assert sum("a worker ended" in line for line in said) == 2


@pytest.mark.parametrize(
    ("workers", "cluster", "message"),
    [
        (0, None, "`workers` must be positive"),
        (2, "tcp://127.0.0.1:1", "either in processes of this machine or on a cluster"),
    ],
)
def test_engines_that_are_none_are_refused(workers, cluster, message) -> None:
    with pytest.raises(SpkitError, match=message):
        check_engine(workers, cluster)


def test_workers_share_the_cores_and_each_has_a_gpu(tmp_path, monkeypatch) -> None:
    # They wait for each other, so that neither does the work of both.
    gathered = "echo > $PPID; until [ $(ls | wc -l) = 2 ]; do sleep 0.02; done"
    line = f"{gathered}; echo $CUDA_VISIBLE_DEVICES $OMP_NUM_THREADS $TQDM_DISABLE"

    def seen(folder: Path) -> list[str]:
        folder.mkdir()
        with side_by_side(2) as executor:
            ask = partial(executor.submit, subprocess.check_output, line, shell=True, text=True, cwd=folder)
            return sorted(one.result(60).strip() for one in (ask(), ask()))

    monkeypatch.setattr(starting, "_cores", lambda: 8)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,5")
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert seen(tmp_path / "two") == ["3 4 1", "5 4 1"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "7")
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert seen(tmp_path / "one") == ["7 3 1", "7 3 1"]  # one GPU for both, and no more threads than were asked for


@pytest.fixture(scope="module")
def cluster(tmp_path_factory) -> Iterator[Callable[[int], LocalCluster]]:
    """Gives a scheduler, in this process, whose only worker has so many threads."""
    settings = {"n_workers": 1, "processes": False, "dashboard_address": ":0", "memory_limit": 0}
    settings["local_directory"] = str(tmp_path_factory.mktemp("dask"))
    with ExitStack() as held:
        yield cache(lambda threads: held.enter_context(LocalCluster(threads_per_worker=threads, **settings)))


def test_a_cluster_that_cannot_carry_a_study_is_refused(cluster) -> None:
    with pytest.raises(SpkitError, match=r"address of its Dask scheduler\. Found none at 'ftp://127\.0\.0\.1:8786'"):
        on_cluster("ftp://127.0.0.1:8786").__enter__()
    with pytest.raises(SpkitError, match=r"one stage at a time\. Found 'inproc.*' of 1 with several threads"):
        on_cluster(cluster(2).scheduler_address).__enter__()


BEGUN, GO = threading.Event(), threading.Event()


def held_up() -> None:
    """A stage that a thread of this process has begun, and does not finish before it may."""
    BEGUN.set()
    GO.wait(60)


LOST = KilledWorker("seed0/train/faq", cast(Any, SimpleNamespace(address="tcp://10.0.0.1:1")), 3)


@pytest.mark.parametrize(
    ("error", "told", "said"),
    [
        (KeyboardInterrupt(), KeyboardInterrupt, None),
        (LOST, SpkitError, r"live as long as its stage\. Found a stage .*'seed0/train/faq'.*memory is enough"),
    ],
)
def test_what_waits_on_a_cluster_is_taken_back_where_the_study_ends(cluster, error, told, said) -> None:
    scheduler, waiting = cluster(1).scheduler, []
    BEGUN.clear()
    GO.clear()

    def study() -> None:
        with on_cluster(scheduler.address) as executor:
            waiting.extend(executor.submit(held_up) for _ in range(3))
            assert BEGUN.wait(60)
            assert scheduler.tasks
            raise error

    try:
        with pytest.raises(told, match=said):
            study()
        until = time.monotonic() + 20
        while scheduler.tasks and time.monotonic() < until:
            time.sleep(0.01)
        assert not scheduler.tasks
        assert all(future.cancelled() for future in waiting)
    finally:
        GO.set()


def test_a_launcher_starts_no_study(home, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(SpkitError, match=r"Found 2 that `torchrun`.*--workers N"):
        run_study(load_profile(home / "small.toml"), tmp_path / "run")
