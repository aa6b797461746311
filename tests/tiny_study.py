"""A study of a tiny encoder with every analysis, a handful of steps each: what tables and notebooks are tested on."""

from pathlib import Path

from tests.tiny import WORDS, tiny_encoder, tiny_tasks

NAMES = ["faq", "topic", "likeness", "asked"]
#: Tasks that nobody trains on; the first word of each of their texts is this mark.
UNSEEN, MARK = ["asking", "sorting"], "unseen"
#: A few merges of each sort: test_study.py makes all of them once.
STATIC = ["average", "slerp", "ties", "lines", "fisher", "mergekit:karcher"]
PROFILE = """
base = "base"
tasks = "tasks.toml"
data = "data"
unseen = ["asking", "sorting"]
seeds = [3]
training = {steps = 2, learning_rate = 3e-3, batch_size = 8}
joint = {sampling = "uniform"}
merges.methods = ["average", "slerp", "ties", "lines", "fisher", "mergekit:karcher"]
merges.evaluations = 3
merges.ties.density = 0.5
merges.fisher.examples = 16
probe = {size = 64}
search = {path = "slerp", steps = 2, batch_size = 8, learning_rate = 0.1}
search_module = {path = "free", steps = 1, batch_size = 8, learning_rate = 0.1}
conflict = {batches = 4, batch_size = 8}
evaluation = {resamples = 20}

[sequential]
every_seed = true
[along_training]
every = 4
batches = 4
batch_size = 8
[pairs]
tasks = ["faq", "topic", "likeness", "asked"]
steps = 2
batches = 4
batch_size = 8
[affinity]
batches = 2
batch_size = 8
[imbalance]
batches = 4
batch_size = 8
[norms]
sizes = [16, 32, 64]
epochs = 1
steps = 2
[angles]
pairs = [["faq", "likeness"]]
ratios = [[3, 1], [1, 1]]
total = 32
steps = 2
[resampling]
pair = ["faq", "likeness"]
ratios = [[3, 1], [1, 2]]
steps = 4
samplings = ["proportional", 2.0]
surgery = ["upgrad"]
[sweeps]
direction = [0.0, 0.5, 1.0]
pairs = [["faq", "topic"]]
length = [0.0, 1.0]
mu = [0.0, 0.1]
probe_size = [32, 64]
probe_seeds = [0, 1]
[trade_off]
between = ["faq", "topic"]
ratios = [0.5, 2.0]
steps = 1
[clusters]
clusters = [2, 3]
examples = 8
methods = ["average", "ties"]
[examples]
characters = 24
[span]
checkpoints = 1
mixtures = ["uniform", "proportional"]
rules = ["ties"]
soup = true
method = "random"
budget = 25
[imbalance_map]
pair = ["faq", "likeness"]
total = 64
ratios = [1, 3]
at_epochs = 2
epochs = [2, 3]
at_ratio = 3
samplings = ["proportional", "uniform"]
methods = ["average", "ties"]
[objectives]
positions = 29
batches = [8, 16]
sizes = [64]
temperatures = [0.05]
[grids]
pair = ["faq", "likeness"]
pipelines = ["separate"]
weights = []
ties = [1.0]
regmean = []
mu = [0.0]
[directions]
pair = ["faq", "likeness"]
shares = [0.5]
methods = ["slerp"]
[around]
pair = ["faq", "likeness"]
pipelines = ["separate"]
direction = [0.0]
length = []
mu = []
[plane]
pair = ["faq", "likeness"]
points = 2
batches = 1
shares = [0.5]
[probe_ratios]
pair = ["faq", "likeness"]
pipelines = ["separate"]
ratios = [[1, 1]]
"""


def write_home(folder: Path) -> None:
    """A base, four tasks as files in a folder of their own, and a profile with every analysis."""
    (folder / "data").mkdir()
    tiny_encoder(0, WORDS, layers=1).save(str(folder / "base"))
    lines = []
    tasks = tiny_tasks((48, 24, 24))
    for name in NAMES:
        task = tasks["faq" if name == "asked" else name]
        lines += [f"[tasks.{name}]", f'kind = "{task.kind}"']
        if name == "asked":  # the same pairs the other way round
            lines.append('columns = {positive = "anchor", anchor = "positive"}')
        for split, rows in task.splits.items():
            rows.to_json(folder / "data" / f"{name}-{split}.jsonl")
            lines.append(f'{split} = "{name}-{split}.jsonl"')
    lines += unseen_tables(folder / "data")
    (folder / "tasks.toml").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "all.toml").write_text(PROFILE, encoding="utf-8")


def unseen_tables(folder: Path) -> list[str]:
    """The lines of a task file for two unseen tasks, whose files are written into a folder.

    One has a test split alone; the other is a classification, whose classifiers learn from examples of its own.
    """
    tasks, lines = tiny_tasks((24, 12, 12)), []
    for name, task, splits in zip(UNSEEN, (tasks["faq"], tasks["topic"]), (["test"], ["train", "test"]), strict=True):
        lines += [f"[tasks.{name}]", f'kind = "{task.kind}"']
        for split in splits:
            rows = task.splits[split].map(lambda row: {key: f"{MARK} {row[key]}" for key in row if key != "label"})
            rows.to_json(folder / f"{name}-{split}.jsonl")
            lines.append(f'{split} = "{name}-{split}.jsonl"')
    return lines
