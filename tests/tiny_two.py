"""A tiny study of two tasks, the paper's setting, with the analyses behind its figures."""

from pathlib import Path

from tests.tiny import WORDS, tiny_encoder, tiny_tasks
from tests.tiny_study import MARK, unseen_tables

PAIR = ("faq", "likeness")
PIPELINES = ("separate", "sequential")
#: The rows of a table of scores, in order.
ROWS = ["faq", "likeness", "mean", "asking", "unseen mean"]
PROFILE = """
base = "base"
tasks = "tasks.toml"
names = ["faq", "likeness"]
data = "data"
unseen = ["asking"]
seeds = [3]
training = {steps = 6, learning_rate = 3e-3, batch_size = 8}
merges.methods = ["average", "slerp"]
merges.evaluations = 3
probe = {size = 32}
search = {path = "raw", start = "slerp", optimizer = "adam", steps = 3, batch_size = 8, learning_rate = 0.05, mu = 0.05}
search_module = {path = "free", steps = 1, batch_size = 8, learning_rate = 0.1}
conflict = {batches = 4, batch_size = 8}
evaluation = {resamples = 20}

[sequential]
[grids]
weights = [[1, 5], [3, 3]]
ties = [0.8, 1.0]
regmean = [0.0, 0.4]
mu = [0.0, 0.05]
[directions]
shares = [0.0, 0.5, 1.0]
[around]
direction = [0.5]
length = [0.7]
mu = [0.0, 0.3]
[plane]
points = 3
batches = 2
shares = [0.5]
[probe_ratios]
ratios = [[3, 1], [3, 3]]
"""


def write_home(folder: Path) -> None:
    """A base, two tasks as files and one that is only scored, and a profile."""
    (folder / "data").mkdir()
    tiny_encoder(0, (*WORDS, MARK), layers=1).save(str(folder / "base"))
    lines = unseen_tables(folder / "data")
    for name, task in tiny_tasks((48, 24, 24)).items():
        if name not in PAIR:
            continue
        lines += [f"[tasks.{name}]", f'kind = "{task.kind}"']
        for split, rows in task.splits.items():
            rows.to_json(folder / "data" / f"{name}-{split}.jsonl")
            lines.append(f'{split} = "{name}-{split}.jsonl"')
    (folder / "tasks.toml").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "two.toml").write_text(PROFILE, encoding="utf-8")
