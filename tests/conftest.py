"""What holds for every test, and the fixtures that many share. It is set before torch is imported: these variables are
read at import. Fixtures import inside: jaxtyping's hook is installed after this file is loaded."""

import os
import shutil
from pathlib import Path
from typing import Any

import jaxtyping
import pytest
from filelock import FileLock

from tests.garbage import leave_out_what_is_there

os.environ["HF_HUB_OFFLINE"] = "1"  # a test that reaches for the network fails at once
os.environ["TOKENIZERS_PARALLELISM"] = "false"  # no thread pool of the tokenizer's, and no warning after a fork
os.environ["MPLBACKEND"] = "Agg"  # figures are drawn without a screen
os.environ.setdefault("OMP_NUM_THREADS", "2")  # the size of machine that times and pinned values are stated for

#: What tests share, with the state it was made in: name of the fixture, the object, its state.
_SHARED: list[tuple[str, Any, str]] = []


def pytest_collection_finish() -> None:
    """Modules are imported to collect the tests."""
    leave_out_what_is_there()


@pytest.fixture(scope="module", autouse=True)
def what_is_left_is_not_looked_at_again() -> None:
    """Modules are imported, and shared objects made, in former files' tests, too."""
    leave_out_what_is_there()


@pytest.fixture
def no_type_check(monkeypatch):
    """Users run without jaxtyping's hook, which would refuse a wrong value before spkit can say what to do about it."""
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)


# --- a tiny base, its experts and tasks: made once, and the same for all tests


@pytest.fixture(scope="session")
def base():
    """The encoder of `tests/tiny.py` that knows the words of the tiny tasks."""
    from tests.tiny import WORDS, tiny_encoder

    return _shared("base", tiny_encoder(0, WORDS).eval())


@pytest.fixture(scope="session")
def model(base):
    """The same encoder, in tests of one model."""
    return base


@pytest.fixture(scope="session")
def tasks():
    """`faq`, `topic` and `likeness`, of 64, 24 and 24 examples."""
    from tests.tiny import tiny_tasks

    return _shared("tasks", tiny_tasks())


@pytest.fixture(scope="session")
def sixty_of_each():
    """The tiny tasks with 60 training examples, which fill no whole number of batches of 8."""
    from tests.tiny import tiny_tasks

    return _shared("sixty_of_each", tiny_tasks((60, 24, 24)))


@pytest.fixture(scope="session")
def bundled_tasks():
    """The bundled tasks that are loaded by default."""
    from spkit import load_tasks

    return load_tasks()  # not watched: rows are immutable, and hashing them takes longer than loading


@pytest.fixture(scope="session")
def experts(base):
    """An expert for each tiny task: the base with noise, each with more than the one before."""
    from tests.experts import noisy

    made = {name: noisy(base, seed, 0.01 * (seed + 1)) for seed, name in enumerate(("faq", "topic", "likeness"))}
    return {name: _shared(f"experts[{name!r}]", expert) for name, expert in made.items()}


@pytest.fixture(scope="session")
def vectors(base, experts):
    """The experts' task vectors."""
    from spkit import TaskVectors

    return _shared("vectors", TaskVectors.from_models(base, experts))


@pytest.fixture(scope="session")
def two_vectors(base, experts):
    """The task vectors of `faq` and `topic`."""
    from spkit import TaskVectors

    return _shared("two_vectors", TaskVectors.from_models(base, {name: experts[name] for name in ("faq", "topic")}))


@pytest.fixture(scope="session")
def trained(base, tasks):
    """Task vectors of experts that learnt something: 20 steps on each tiny task."""
    from spkit import TaskVectors, train

    settings: dict[str, Any] = {"steps": 20, "batch_size": 16, "learning_rate": 3e-3, "progress": False}
    experts = {name: train(base, task, **settings) for name, task in tasks.items()}
    return _shared("trained", TaskVectors.from_models(base, experts))


@pytest.fixture(scope="session")
def probe(tasks):
    """16 examples of each tiny task: two batches of 8."""
    from spkit import Probe

    return _shared("probe", Probe.sample(tasks, size=48))


@pytest.fixture(scope="session")
def large_probe(tasks):
    """32 examples of each tiny task."""
    from spkit import Probe

    return _shared("large_probe", Probe.sample(tasks, size=96))


@pytest.fixture(scope="module", autouse=True)
def shared_objects_stay_as_they_are():
    """A test that changes what others share would make them depend on their order: the module with it fails."""
    yield
    changed = []
    for place, (name, made, before) in enumerate(_SHARED):
        if (now := _state(made)) != before:
            changed.append(name)
            _SHARED[place] = name, made, now  # so that the modules after this one are not blamed for it
    assert not changed, f"A test of this module changed what all tests share: {', '.join(changed)}. Let it copy them."


def _shared(name: str, made: Any) -> Any:
    _SHARED.append((name, made, _state(made)))
    return made


def _state(made: Any) -> str:
    """What of a model, task vectors, tasks or a probe a test must leave alone."""
    from spkit import Probe, TaskVectors
    from spkit.hashing import weights_hash

    if isinstance(made, TaskVectors):
        return f"{made.names} {made.matrix.double().sum()} {made.matrix.double().norm()} {_state(made.base)}"
    if isinstance(made, Probe):
        return str({name: [rows.num_rows, rows._fingerprint] for name, rows in made.examples.items()})
    if isinstance(made, dict):
        return str({name: task.fingerprint() for name, task in made.items()})
    modes = {module.training for module in made.modules()}
    gradients = any(parameter.grad is not None for parameter in made.parameters())
    return f"{weights_hash(made)} training {modes} gradients {gradients} cuts at {made.max_seq_length}"


# --- a tiny study with every analysis


@pytest.fixture(scope="session")
def tiny_home(tmp_path_factory) -> Path:
    """Base, tasks and profile of a tiny study."""
    from tests.tiny_study import write_home

    folder = tmp_path_factory.mktemp("analyses")
    write_home(folder)
    return folder


@pytest.fixture(scope="session")
def tiny_study(tiny_home, tmp_path_factory, worker_id) -> Path:
    """The same folder, with the finished study in `run`. Of several processes one makes it, and all copy it."""
    from spkit.study import load_profile, run_study

    def make(run: Path) -> None:
        run_study(load_profile(tiny_home / "all.toml"), run, lambda line: None)

    if worker_id == "master":
        make(tiny_home / "run")
        return tiny_home
    finished = tmp_path_factory.getbasetemp().parent / "tiny_study"  # the folder above those of the processes
    with FileLock(finished.with_suffix(".lock")):
        if not finished.is_dir():
            make(tiny_home / "unfinished")
            (tiny_home / "unfinished").rename(finished)
    shutil.copytree(finished, tiny_home / "run")
    return tiny_home


@pytest.fixture(scope="session")
def tiny_run(tiny_study) -> Path:
    """The folder of that finished study."""
    return tiny_study / "run"


@pytest.fixture(scope="module")
def browser():
    """Chromium, where it is there and starts."""
    from tests.browsing import ARGUMENTS, CHROMIUM

    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if not CHROMIUM:
        pytest.skip("no chromium on this machine")
    with playwright.sync_playwright() as started:
        try:
            opened = started.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        except playwright.Error as error:
            pytest.skip(f"chromium does not start on this machine: {error}")
        yield opened
        opened.close()
