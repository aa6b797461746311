"""mteb without side effects: its bars, log lines and seeding of everything end where the context ends."""

import logging
import random
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import datasets
import numpy as np
import torch

#: Warnings that are about scores we do not report or settings mteb's protocol fixes: (start of the message, module).
_IRRELEVANT = (
    ("Precision is ill-defined", r"sklearn\..*"),  # mteb computes precision beside accuracy
    ("Recall is ill-defined", r"sklearn\..*"),
    ("F-score is ill-defined", r"sklearn\..*"),
    ("No positive class found in y_true", r"sklearn\..*"),
    ("lbfgs failed to converge", r"sklearn\..*"),  # mteb stops its logistic regression after 100 steps
    (r"The task '.*' is superseded by", r"mteb\..*"),  # it was asked for by name, or belongs to a benchmark
    ("The fill_missing parameter is deprecated", r"mteb\..*"),  # mteb passes it to itself
    (r"The `get_sentence_embedding_dimension` method has been renamed", r".*"),  # mteb calls it by its old name
)


@contextmanager
def quietly() -> Iterator[None]:
    """Run mteb with its noise off, and put log levels, progress bars and random states back.

    mteb seeds Python's, numpy's and torch's global generators when it is imported and when a task is made, which would
    change the numbers of whatever runs next.
    """
    loggers = [logging.getLogger(name) for name in ("mteb", "datasets", "sentence_transformers")]
    levels = [logger.level for logger in loggers]
    bars = not datasets.are_progress_bars_disabled()
    states = random.getstate(), np.random.get_state(), torch.get_rng_state()
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    if bars:
        datasets.disable_progress_bars()
    try:
        with warnings.catch_warnings():
            for message, module in _IRRELEVANT:
                warnings.filterwarnings("ignore", message, module=module)
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
        if bars:
            datasets.enable_progress_bars()
        random.setstate(states[0])
        np.random.set_state(states[1])
        torch.set_rng_state(states[2])
        if cuda:
            torch.cuda.set_rng_state_all(cuda)
