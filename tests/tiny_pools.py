"""A tiny study in the form of `paper`: two pools of two data sets each, one loss, and a task that nobody trains on."""

from pathlib import Path

from datasets import Dataset

from tests.tiny import WORDS, tiny_encoder, tiny_tasks

POOLS = {"answers": ("faq", "asked"), "meanings": ("likeness", "near")}
PROFILE = """
base = "base"
tasks = "tasks.toml"
data = "data"
names = ["answers", "meanings"]
unseen = ["topic"]
seeds = [3]
loss = {name = "infonce", temperature = 0.02}
training = {epochs = 1, learning_rate = 3e-3, batch_size = 4}
joint = {sampling = "proportional"}
merges.methods = ["average", "slerp", "ties"]
merges.evaluations = 3
probe = {size = 32}
search = {path = "raw", start = "slerp", optimizer = "adam", steps = 2, batch_size = 4, learning_rate = 0.05}
search_module = {path = "free", steps = 1, batch_size = 4, learning_rate = 0.05}
conflict = {batches = 4, batch_size = 4}
evaluation = {resamples = 20}

[norms]
whole = true
epochs = 1
[angles]
pairs = [["answers", "meanings"], ["faq", "near"]]
ratios = [[1, 2], [1, 1], [3, 2], [2, 1]]
total = 60
steps = 2
[clusters]
clusters = [2, 3]
examples = 8
methods = ["average", "ties", "regmean"]
[examples]
hidden = ["topic"]
[imbalance_map]
pair = ["answers", "meanings"]
total = 64
ratios = [1, 2]
at_epochs = 2
epochs = [2, 3]
at_ratio = 2
samplings = ["proportional", 2.0]
methods = ["average", "ties"]
"""
TASKS = """
[tasks.answers]
pool = ["faq", "asked"]
[tasks.meanings]
pool = ["likeness", "near"]

[tasks.faq]
kind = "retrieval"
train = "faq-train.jsonl"
dev = "faq-dev.jsonl"
test = "faq-test.jsonl"

[tasks.asked]
kind = "retrieval"
role = "training"
train = "faq-train.jsonl"
dev = "faq-dev.jsonl"
columns = {positive = "anchor", anchor = "positive"}
limit = 48

[tasks.likeness]
kind = "sts"
train = "likeness-train.jsonl"
dev = "likeness-dev.jsonl"
test = "likeness-test.jsonl"
positive_from = 2.0

[tasks.near]
kind = "sts"
role = "training"
train = "near-train.jsonl"
dev = "near-dev.jsonl"
columns = {said = "score"}
values = {said = {yes = 1.0, no = 0.0}}
positive_from = 1.0
negative_to = 0.0
limit = 100

[tasks.topic]
kind = "classification"
role = "unseen"
train = "topic-train.jsonl"
test = "topic-test.jsonl"
"""


def _near(rows: Dataset) -> Dataset:
    """Each question with its own answer, and with that of another one, which is none."""
    asked, answers = rows["anchor"][:], rows["positive"][:]
    said = ["yes"] * len(asked) + ["no"] * len(asked)
    return Dataset.from_dict({"sentence1": asked * 2, "sentence2": [*answers, *answers[1:], answers[0]], "said": said})


def write_home(folder: Path, profile: str = PROFILE) -> None:
    """A base, a task file with its data in a folder, and a profile, `pools.toml`."""
    (folder / "data").mkdir()
    tiny_encoder(0, WORDS, layers=1).save(str(folder / "base"))
    for name, task in tiny_tasks((96, 24, 24)).items():
        for split, rows in task.splits.items():
            rows.to_json(folder / "data" / f"{name}-{split}.jsonl")
            if name == "faq" and split != "test":
                _near(rows).to_json(folder / "data" / f"near-{split}.jsonl")
    (folder / "tasks.toml").write_text(TASKS, encoding="utf-8")
    (folder / "pools.toml").write_text(profile, encoding="utf-8")
