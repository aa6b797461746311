"""The processes that stages are sent to: here, or on a cluster.

A process that starts imports this module before its threads are set, so nothing here imports torch.
"""

import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import active_children, get_context, parent_process
from multiprocessing.connection import wait
from typing import Any

from spkit._extras import require
from spkit.errors import SpkitError, quoted
from spkit.launcher import process_count


def check_engine(workers: int, cluster: str | None) -> None:
    """Raise what is wrong with a choice of engine, before anything is read.

    Raises:
        SpkitError: fewer than one worker, workers here and on a cluster, or processes of a launcher, which would all
            run the same stages.
    """
    if process_count() > 1:
        raise SpkitError(
            "A study starts its processes itself.",
            f"Found {process_count()} that `torchrun` or `accelerate launch` started.",
            "Run `spkit study PROFILE --workers N` without a launcher, or pass --cluster.",
        )
    if workers < 1:
        raise SpkitError("`workers` must be positive.", f"Found {workers}.", "Pass 1 or more.")
    if cluster is not None:
        if workers > 1:
            raise SpkitError(
                "A study runs either in processes of this machine or on a cluster.",
                f"Found workers = {workers} and the cluster {cluster!r}.",
                "Pass one of the two; a cluster's workers are started on its machines.",
            )
        require("distributed", "A study on a cluster")


@contextmanager
def side_by_side(workers: int) -> Iterator[Executor]:
    """Processes of this machine; the cores are divided among them, and each has one GPU where there are any.

    They end with the block, also in the middle of a stage where the block ends by an exception, and with this process.

    Args:
        workers: how many.
    """
    context = get_context("spawn")  # a forked process would share this one's threads and its GPU
    numbers: Any = context.SimpleQueue()
    for number in range(workers):
        numbers.put(number)
    threads = max(1, _cores() // workers)
    others = set(active_children())
    executor = ProcessPoolExecutor(workers, context, _prepare, (numbers, threads))
    try:
        yield executor
    except BaseException:
        for process in set(active_children()) - others:
            process.terminate()
        raise
    finally:
        executor.shutdown(cancel_futures=True)


def _cores() -> int:
    """The cores that this process may use; fewer than the machine has under a queue's limits."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _prepare(numbers: Any, threads: int) -> None:
    """The first thing that a worker of this machine does: threads and GPU are set before torch is imported."""
    given = os.environ.get("OMP_NUM_THREADS")
    os.environ["OMP_NUM_THREADS"] = str(min(threads, int(given)) if given and given.isdecimal() else threads)
    os.environ["TQDM_DISABLE"] = "1"  # bars of several processes would write over each other
    number = numbers.get()
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    gpus = visible.split(",") if visible else [str(gpu) for gpu in range(_gpus())]
    if gpus:
        os.environ["CUDA_VISIBLE_DEVICES"] = gpus[number % len(gpus)]
    signal.signal(
        signal.SIGINT, signal.SIG_IGN
    )  # Ctrl-C reaches all processes: the one that sends stages ends the others
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _gpus() -> int:
    """NVIDIA's GPUs, as the driver lists them: to ask torch would fix which of them this process sees."""
    folder = "/proc/driver/nvidia/gpus"
    return len(os.listdir(folder)) if os.path.isdir(folder) else 0


def _end_with_parent() -> None:
    """A process whose parent was killed would wait for its next stage for ever."""
    parent = parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


@contextmanager
def on_cluster(address: str) -> Iterator[Executor]:
    """The workers of a Dask scheduler; a stage whose worker ends is given to another one.

    With the block ends its client, and the scheduler forgets what still waits there.

    Args:
        address: of the scheduler, as it prints it, for example "tcp://10.0.0.1:8786"; "tls://…" as Dask is configured.

    Raises:
        SpkitError: no scheduler answers there, a worker would run several stages at once, or workers keep ending.
    """
    from distributed import Client, KilledWorker

    try:
        client = Client(address, timeout=20, set_as_default=False)
    except (OSError, ValueError) as error:
        raise SpkitError(
            "A cluster is given by the address of its Dask scheduler.",
            f"Found none at {address!r} ({error or type(error).__name__}).",
            "Start `dask scheduler`, and pass the address that it prints.",
        ) from error
    with client:
        several = [
            name for name, worker in client.scheduler_info(n_workers=-1)["workers"].items() if worker["nthreads"] > 1
        ]
        if several:
            raise SpkitError(
                "A worker must run one stage at a time.",
                f"Found {quoted(several[:3])} of {len(several)} with several threads.",
                "Start them with `dask worker --nthreads 1`; torch's own threads are set by OMP_NUM_THREADS.",
            )
        try:
            yield client.get_executor(pure=False)
        except KilledWorker as error:
            raise SpkitError(
                "A worker must live as long as its stage.",
                f"Found a stage whose workers ended one after the other ({error}).",
                "Look at the workers' logs, and whether their memory is enough.",
            ) from error
