"""The code of the documentation's pages: read out of them, and a folder with all that its recipes name."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

DOCS = Path(__file__).parent.parent / "docs"
_FENCE = re.compile(r'^```(\w+)(?: title="([^"]+)")?\n(.*?)^```$', re.DOTALL | re.MULTILINE)
#: Programs that pages start beside spkit's own commands.
_OTHERS = {"dask", "srun", "pip", "make"}


@dataclass(frozen=True)
class Block:
    """A block of code of a page: its language, the file it stands for, and its text."""

    language: str
    title: str
    text: str


def pages() -> list[Path]:
    """The pages that are written by hand."""
    return sorted(DOCS.rglob("*.md"))


def blocks(page: Path, language: str) -> list[Block]:
    """The page's blocks in one language."""
    found = [Block(*parts) for parts in _FENCE.findall(page.read_text(encoding="utf-8"))]
    return [block for block in found if block.language == language]


def commands(page: Path) -> Iterator[list[str]]:
    """The words of each command of spkit in the page's shell blocks, without what starts it.

    Raises:
        AssertionError: a line starts a program that no page is known to need.
    """
    for block in blocks(page, "bash"):
        for line in block.text.replace("\\\n", " ").splitlines():
            words = shlex.split(line, comments=True)
            if "spkit.cli" in words:  # behind torchrun or accelerate launch
                yield words[words.index("spkit.cli") + 1 :]
            elif words and words[0] == "spkit":
                yield words[1:]
            else:
                assert not words or words[0] in _OTHERS, f"Found {line!r} in {page.name}."


def furnish(folder: Path) -> None:
    """Put models, adapters and data under the names that the how-to pages use, all of them tiny."""
    import peft

    from tests.experts import noisy
    from tests.tiny import WORDS, tiny_encoder, tiny_tasks

    base = tiny_encoder(0, WORDS)
    places = [
        "faq",
        "faq-seed1",
        "sts",
        "joint",
        "joint-seed1",
        *(f"run/checkpoint-{steps}" for steps in (100, 200, 300)),
    ]
    base.save(str(folder / "models" / "base"))
    for seed, place in enumerate(places, start=1):
        noisy(base, seed, 0.01).save(str(folder / "models" / place))
    for seed, name in enumerate(("faq", "sts"), start=1):
        config = peft.LoraConfig(r=2, target_modules=["query", "value"], init_lora_weights=False)
        adapted = peft.get_peft_model(noisy(base, seed, 0.0)[0].model, config)
        adapted.save_pretrained(folder / "adapters" / name)
    tasks = tiny_tasks((96, 24, 24))
    faq, sts, topic = tasks["faq"], tasks["likeness"], tasks["topic"].test.to_pandas()
    for split in ("train", "test"):
        theirs = getattr(faq, split).to_pandas().rename(columns={"anchor": "question", "positive": "answer"})
        theirs.to_csv(folder / f"faq-{split}.csv", index=False)
        getattr(sts, split).to_pandas().to_csv(folder / f"sts-{split}.tsv", sep="\t", index=False)
    manual = topic.assign(anchor=topic["text"], positive=topic["text"] + " found")[["anchor", "positive"]]
    manual.to_json(folder / "manual.jsonl", orient="records", lines=True)
    for page in pages():
        for block in blocks(page, "toml"):
            (folder / block.title).write_text(block.text, encoding="utf-8")
