"""What holds for every test. It is set before torch is imported: these variables are read at import."""

import os
from pathlib import Path

import jaxtyping
import pytest

os.environ["HF_HUB_OFFLINE"] = "1"  # a test that reaches for the network fails at once
os.environ["TOKENIZERS_PARALLELISM"] = "false"  # no thread pool of the tokenizer's, and no warning after a fork
os.environ["MPLBACKEND"] = "Agg"  # figures are drawn without a screen
os.environ.setdefault("OMP_NUM_THREADS", "2")  # the size of machine that times and pinned values are stated for


@pytest.fixture
def no_type_check(monkeypatch):
    """Users run without jaxtyping's hook, which would refuse a wrong value before spkit can say what to do about it."""
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)


@pytest.fixture(scope="session")
def tiny_home(tmp_path_factory) -> Path:
    """Base, tasks and profile of a tiny study."""
    from tests.tiny_study import write_home

    folder = tmp_path_factory.mktemp("analyses")
    write_home(folder)
    return folder


@pytest.fixture(scope="session")
def tiny_study(tiny_home) -> Path:
    """The same folder, with the finished study in `run`."""
    from spkit.study import load_profile, run_study

    run_study(load_profile(tiny_home / "all.toml"), tiny_home / "run", lambda line: None)
    return tiny_home
