# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Your own models and data
#
# **Question.** You have two fine-tunes of one base, and some data. Which merge is the best, and is it better than what you have?
#
# **Guess first**: will a merge be ahead of the better expert on the mean of both tasks?

# %%
guess = True

# %% [markdown]
# ## Data: a table a split
#
# CSV, TSV, JSONL or Parquet. Two small files stand in for yours. `test` must be examples that no model was trained on.

# %%
from pathlib import Path

import pandas as pd

import spkit

# Beside the other runs, wherever this is started.
folder = Path("../runs/own") if Path("10_your_own_models_and_data.ipynb").exists() else Path("runs/own")
folder.mkdir(parents=True, exist_ok=True)

things, parts = ["pump", "lamp", "valve", "clock", "motor"], ["cable", "filter", "switch", "cover"]
faq = [
    {
        "question": f"My {things[n % 5]} of type {n} stopped, what now?",
        "answer": f"Check the {parts[n % 4]}, then start the {things[n % 5]} again. Form {7 * n}.",
    }
    for n in range(160)
]
words = ["very", "quite", "hardly", "not", "really"]
sts = [
    {
        "sentence1": f"{things[n % 5]} {n} is {words[n % 4]} good",
        "sentence2": f"{things[n % 3]} {n} works {words[n % 5]} well",
        "score": 5.0 - abs(n % 4 - n % 5) - (n % 5 != n % 3),
    }
    for n in range(160)
]
for name, rows in {"faq": faq, "sts": sts}.items():
    pd.DataFrame(rows[:120]).to_csv(folder / f"{name}-train.csv", index=False)
    pd.DataFrame(rows[120:]).to_csv(folder / f"{name}-test.csv", index=False)

# %% [markdown]
# ## The task file
#
# A kind for each task; `columns` maps your column names to those of sentence-transformers.

# %%
(folder / "tasks.toml").write_text("""
[tasks.faq]
kind = "retrieval"
train = "faq-train.csv"
test = "faq-test.csv"
columns = { question = "anchor", answer = "positive" }

[tasks.sts]
kind = "sts"
train = "sts-train.csv"
test = "sts-test.csv"
""")
tasks = spkit.load_tasks(folder / "tasks.toml")
spkit.imbalance(tasks)[["examples", "example_share", "words", "word_share"]].round(2)

# %% [markdown]
# ## Models
#
# Yours are named by folder or hub id. A model that is called like a task is its expert; any other name is a joint model or a checkpoint. Here
# two experts and a joint model are trained, some seconds each.

# %%
base = spkit.load_base("minilm-l3", max_seq_length=24)
models = {name: spkit.train(base, task, steps=12, batch_size=16) for name, task in tasks.items()}
models["joint"] = spkit.train(base, tasks, steps=24, batch_size=16, sampling="uniform")
vectors = spkit.TaskVectors.from_models(base, models)
vectors.cosines().round(2).assign(length=vectors.norms().round(2))

# %% [markdown]
# ## One call for the whole job
#
# `spkit.best` measures the models, every rule, mixes with the joint model, and two searches on dev examples. It picks by these, and tests
# the pick once. (A minute or two. In a terminal: `spkit best --base minilm-l3 --model faq=... --tasks tasks.toml -o runs/best`.)

# %%
report = spkit.best(base, models, tasks, output=folder / "best", budget=10)
print(report.verdict)

# %%
table = report.table.loc[report.table["picked"] | report.table["test"].notna() | (report.table["sort"] != "rule")]
table[["sort", "picked", "dev", "test", "ahead", "ahead low", "ahead high"]].round(1)

# %% [markdown]
# *ahead*: how far the pick is ahead of the row on test, with its interval. Only the pick, the given models and the base are tested; other
# rules are left out here.
# `report.html` in the folder is one page with all of it, and opens without a server.

# %%
sorted(path.name for path in (folder / "best").iterdir() if not path.name.startswith("."))

# %% [markdown]
# ## Is it better than this other model?
#
# The same test examples for both; a positive difference means that a is ahead.

# %%
compared = spkit.compare({"pick": report.model(), "faq expert": models["faq"]}, tasks)
compared[["task", "a", "b", "difference", "low", "high", "verdict"]].round(1)

# %% [markdown]
# ## Look around
#
# An explorer on your own vectors; its places take some seconds.

# %%
vectors.save(folder / "vectors")
explorer = spkit.explore(vectors, tasks, points=24, examples=24, source=folder / "vectors")
explorer

# %% [markdown]
# ## The answer

# %%
from IPython.display import Markdown

picked = report.table.loc[report.table["picked"]].iloc[0]
merges = report.table["sort"].isin(["rule", "mix", "search"])
best, expert = report.table.loc[merges, "dev"].max(), report.table.loc[list(tasks), "dev"].max()
said = f"You guessed **{guess}**. On dev the best merge has {best:.1f} points, the better expert {expert:.1f}."
Markdown(f"{said} The pick is **{picked.name}**. {report.verdict}")

# %% [markdown]
# ## What to try
#
# - Put your own files into `tasks.toml`, and your models into the call: `{"faq": "path/to/faq", "sts": "org/model"}`. LoRA adapters over the
#   base may stand for models.
# - `spkit init` writes a task file from your CSVs. Tasks with `test` alone are *unseen*: scored, never chosen by.
# - `spkit study my_study.toml` makes all that notebooks 1 to 9 show; `spkit/study/profiles/demo.toml` is an example.
