"""What holds for every test. It is set before torch is imported: these variables are read at import."""

import os

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
