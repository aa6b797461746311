"""Where real data lies for the tests that compare with published numbers; they skip where it does not."""

import os
from pathlib import Path

import pytest

#: Beside the clone, unless the environment says otherwise.
FOLDER = Path(os.environ.get("SPKIT_REAL_DATA", Path(__file__).parents[2] / "shared" / "data"))


def real(name: str) -> Path:
    """A file or folder of real data; the test that asks for it is skipped where it is absent."""
    path = FOLDER / name
    if not path.exists():
        pytest.skip(f"no real data at {path}; SPKIT_REAL_DATA names its folder")
    return path
