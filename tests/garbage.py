"""The garbage collector of processes that train many tiny models."""

import gc


def leave_out_what_is_there() -> None:
    """Let no later collection look at the objects that there are now.

    Each training ends with a full collection (accelerate's), which would look at every object of torch, mteb and
    transformers: longer than a tiny model is trained.
    """
    gc.collect()
    gc.freeze()
