"""What mteb needs of kinds whose examples are two texts side by side."""

from collections.abc import Mapping, Sequence
from typing import Any

from spkit.tasks.kinds._base import Rows


def two_texts(rows: Rows, split: str, columns: Sequence[str]) -> dict[str, Any]:
    """The pairs of one split as mteb reads them."""
    from datasets import Dataset

    return {split: Dataset.from_dict({column: rows[column][:] for column in columns})}


def prompt_types(prompts: Mapping[str, str], texts: Sequence[str]) -> dict[str, Any]:
    """Only inputs of different types can have different prompts in mteb."""
    first, second = (prompts.get(column, "") for column in texts)
    if first == second:
        return {}
    from mteb.types import PromptType

    return {"input1_prompt_type": PromptType.query, "input2_prompt_type": PromptType.document}
