"""What `torchrun` or `accelerate launch` says of this process: how many there are, and whether it is the main one.

Nothing here imports torch: what writes files and prints asks it first.
"""

import os


def process_count() -> int:
    """How many processes the launcher started; 1 without one."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def is_main() -> bool:
    """Whether this process writes files, prints and shows bars."""
    return process_count() == 1 or os.environ.get("RANK", "0") == "0"
