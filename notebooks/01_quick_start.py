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
# # Quick start: what a finished study says
#
# **One question:** you have one base model and several tasks. Should you train on all of them jointly, or train one expert a
# task and merge them?
#
# `make demo` answered it on four small tasks. This notebook reads what it left (or, before you ran it, the results that come
# with the project), shows them, and then moves a merged model by hand.

# %%
from pathlib import Path

import pandas as pd
from IPython.display import Markdown

project = Path.cwd() if Path("data").is_dir() else Path.cwd().parent
run = project / "runs" / "demo"
results = run if (run / "scores.csv").is_file() else project / "data" / "results" / "demo"
print(
    "Results of your own run."
    if results == run
    else "Results that come with the project: run `make demo` for your own."
)

# %% [markdown]
# ## The scores
#
# Rows are methods, columns are tasks; points from 0 to 100 with the 95 % interval over the test examples. Read the last column
# first: the mean over tasks.

# %%
from spkit.figures import summary_table

scores = pd.read_csv(results / "scores.csv")
summary_table(scores)

# %% [markdown]
# An expert is best where it was trained and often worse than the base elsewhere. Joint training and merging both look for one
# model that does everything.
#
# ## In words
#
# The same findings as sentences, the verdict last.

# %%
summary = (results / "summary.md").read_text(encoding="utf-8")
Markdown("\n".join(line for line in summary.splitlines() if line.startswith("- ")))

# %% [markdown]
# ## How sure is a difference?
#
# Two methods are compared on the same resampled test examples, so what is hard for both cancels out. An interval that holds
# zero means: these data do not tell the two apart.

# %%
differences = pd.read_csv(results / "comparisons.csv")
differences[(differences["task"] == "mean") & (differences["against"] == "joint")].round(1)

# %% [markdown]
# ## Where the search went
#
# A merge is the base plus a weighted sum of task vectors (expert minus base). Self Positioning finds the weights by gradient
# descent on a few hundred examples. These are the weights it found, one a task:

# %%
found = pd.read_csv(results / "coefficients.csv")
model_wise = found[found["method"] == "self_position"]
model_wise.pivot_table(index="seed", columns="task", values="coefficient").round(2)

# %% [markdown]
# ## Move the model yourself
#
# With the task vectors of your own run you can go to any position; each call gives an ordinary sentence-transformers model.

# %%
folder = run / "seed0" / "vectors" / "vectors"
if folder.is_dir():
    import spkit

    vectors = spkit.TaskVectors.load(folder)
    halfway = vectors.at(dict.fromkeys(vectors.names, 0.5))
    print(
        vectors, "→", halfway.similarity(*halfway.encode(["a sharp rise in profit", "earnings grew strongly"])[:, None])
    )
else:
    print("Run `make demo` first: it leaves the task vectors in runs/demo.")

# %% [markdown]
# ## What to try
#
# - Change 0.5 to 0 (the base) and to 1 (the plain sum), and look at the similarity again.
# - `spkit.evaluate(halfway, spkit.load_tasks("bundled"))` scores a position on all tasks.
# - `spkit.self_position(vectors, spkit.Probe.sample(tasks), path="free")` searches on another path.
