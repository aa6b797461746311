"""How a model is to be loaded: type of its numbers, device, and the code of its own that may run; without torch."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from spkit.errors import check_choice
from spkit.files import parse_json

#: Type of the numbers that a model computes with; "auto" is the type of its checkpoint.
NumberType = Literal["float32", "bfloat16", "float16", "auto"]

#: Numbers that forward and backward passes compute with; weights are float32 in any case.
Precision = Literal["float32", "bfloat16"]


@dataclass(frozen=True)
class Loading:
    """How a model is loaded; `spkit.load_base` explains each.

    Raises:
        SpkitError: `dtype` is no type of numbers.
    """

    dtype: NumberType = "float32"
    device: str | None = None
    trust_remote_code: bool = False
    revision: str | None = None
    attention: str | None = None

    def __post_init__(self) -> None:
        check_choice("dtype", self.dtype, NumberType)

    def arguments(self) -> dict[str, Any]:
        """The same for `SentenceTransformer(...)`.

        A float32 model is loaded as its file is, and widened by `loaded`: so is known what the file's type was.
        """
        given: dict[str, Any] = {"dtype": "auto" if self.dtype == "float32" else self.dtype}
        if self.attention is not None:
            given["attn_implementation"] = self.attention
        return {
            "device": self.device,
            "trust_remote_code": self.trust_remote_code,
            "revision": self.revision,
            "model_kwargs": given,
        }

    def beside(self) -> "Loading":
        """How models are loaded that belong to one that was loaded so.

        The revision is the first one's alone; and none is rounded to the half precision that the first one is.
        """
        return replace(self, revision=None, dtype="float32" if self.dtype == "float32" else "auto")


_DEFAULT: ContextVar[Loading | None] = ContextVar("spkit_loading", default=None)


def default_loading() -> Loading:
    """How models are loaded where the call does not say it: as `spkit.load_base` does, or as `loading_by_default`."""
    return _DEFAULT.get() or Loading()


@contextmanager
def loading_by_default(how: Loading) -> Iterator[None]:
    """Load every model so that is named inside the block; the command line's options hold for all that it loads."""
    token = _DEFAULT.set(how)
    try:
        yield
    finally:
        _DEFAULT.reset(token)


def code_files(folder: str | Path) -> list[str]:
    """Files of its own code that a model's folder asks for, in its configuration's `auto_map`."""
    named: set[str] = set()
    for config in sorted((*Path(folder).glob("config.json"), *Path(folder).glob("*/config.json"))):
        try:
            given = parse_json(config.read_text(encoding="utf-8")).get("auto_map", {})
        except (OSError, ValueError, AttributeError):  # what is wrong with the folder is said when it is loaded
            continue
        for place in _texts(given):
            module = place.rpartition("--")[2].partition(".")[0]
            named.add(f"{config.parent.relative_to(folder) / module}.py")
    return sorted(named)


def _texts(given: Any) -> Iterator[str]:
    if isinstance(given, str):
        yield given
    elif isinstance(given, dict | list):
        for one in given.values() if isinstance(given, dict) else given:
            yield from _texts(one)
