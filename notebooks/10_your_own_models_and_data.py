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
# **One question:** how do you ask all this about your own tasks?

# %%
from pathlib import Path

import spkit

# Beside the other runs, wherever this is started.
folder = Path("../runs/own") if Path("10_your_own_models_and_data.ipynb").exists() else Path("runs/own")
folder.mkdir(parents=True, exist_ok=True)

# %% [markdown]
# ## Data: a table per split
#
# CSV, TSV, JSONL or Parquet, with the columns of sentence-transformers. Here two small files stand in for yours.

# %%
import pandas as pd

faq = [
    {"question": f"How do I reset device {n}?", "answer": f"Hold the button of device {n} for {n % 9 + 2} seconds."}
    for n in range(120)
]
pd.DataFrame(faq[:90]).to_csv(folder / "faq-train.csv", index=False)
pd.DataFrame(faq[90:]).to_csv(folder / "faq-test.csv", index=False)
words = ["very", "quite", "hardly", "not", "really"]
pairs = [
    {
        "sentence1": f"item {n} is {words[n % 5]} good",
        "sentence2": f"item {n} is {words[n % 4]} fine",
        "score": 5.0 - abs(n % 5 - n % 4),
    }
    for n in range(120)
]
pd.DataFrame(pairs[:90]).to_csv(folder / "sts-train.csv", index=False)
pd.DataFrame(pairs[90:]).to_csv(folder / "sts-test.csv", index=False)

# %% [markdown]
# ## The task file
#
# `columns` maps your files' column names to these.

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
spkit.imbalance(tasks)

# %% [markdown]
# ## Models
#
# Experts you have already are named by folder or hub id. Here two are trained: some seconds each.

# %%
base = spkit.load_base("minilm-l3", max_seq_length=24)
experts = {name: spkit.train(base, task, steps=12, batch_size=16) for name, task in tasks.items()}
vectors = spkit.TaskVectors.from_models(base, experts)
vectors.save(folder / "vectors")
vectors.norms()

# %% [markdown]
# ## Search and score
#
# About half a minute.

# %%
result = spkit.self_position(vectors, spkit.Probe.sample(tasks, size=96), optimizer="adam", steps=10, batch_size=16)
result.coefficients

# %%
display(spkit.evaluate(result.model(), tasks), spkit.evaluate(base, tasks))

# %% [markdown]
# Better than the base on both?
#
# ## Look around
#
# A small explorer on your own vectors; its points take some seconds.

# %%
explorer = spkit.explore(vectors, tasks, result=result, points=24, examples=24, source=folder / "vectors")
explorer

# %% [markdown]
# ## Save
#
# An ordinary sentence-transformers folder, with a model card and a recipe.

# %%
result.save(folder / "best")
sorted(path.name for path in (folder / "best").iterdir())

# %% [markdown]
# ## What to try
#
# - Put your own files into `tasks.toml`, and your experts into `TaskVectors.from_models(base, {"faq": "path/to/faq", ...})`.
# - LoRA adapters over the base may stand for experts.
# - `spkit study my_study.toml`, in a terminal, does everything in resumable stages, with the verdict at the end;
#   `spkit/study/profiles/demo.toml` is an example of a profile.
