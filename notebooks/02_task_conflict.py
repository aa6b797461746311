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
# # Task conflict: do your tasks conflict?
#
# **One question:** before you train jointly, can you see whether the tasks will conflict?
#
# Minus a task's gradient is the direction in which its loss falls fastest. If the gradients of two tasks point in opposite directions, a step that
# helps one hurts the other. That is what the **cosine** of two gradients measures: 1 is agreement, 0 is neither, below 0 is
# conflict.

# %%
import spkit

results = spkit.open_results()
results

# %% [markdown]
# ## The cosine is biased, and can be corrected
#
# A gradient comes from a batch, and batches are noisy. Noise makes every cosine look nearer to 0 than it is: even one task,
# measured twice on different batches, does not reach 1. The cosine that it reaches is the task's *ceiling*; spkit divides the cosine of two tasks
# by the geometric mean of both ceilings. Where the noise is larger than the gradient, it says **undetermined** instead of a number.
# Nothing is clipped: an estimate from few batches may pass 1 or −1, and its interval then says how little it is worth.

# %%
results.figure("conflict")

# %% [markdown]
# ## What did joint training lose?
#
# Gradients are a cause at best. This is the effect: each task's score after joint training, against that of the expert trained on this
# task alone. Left of the line the joint model is the worse one on that task.

# %%
results.figure("conflict_outcome")

# %% [markdown]
# ## Measure it yourself
#
# Two tasks, a few batches, half a minute. `verdict` puts each pair in words.

# %%
base = spkit.load_base("minilm-l3", max_seq_length=32)
tasks = spkit.load_tasks("bundled", names=["chat", "similarity"])
report = spkit.gradient_conflict(base, tasks, batches=8, batch_size=16)
report.pairs

# %% [markdown]
# `low` and `high` bound the corrected cosine: 95 %, from splitting the batches into blocks.
#
# ## In which layers do they conflict?
#
# Each row is a pair of tasks, each column a part of the encoder, from the embeddings on the left to the last layer on the right
# (`attention`, and `mlp`, the feed-forward part). Is a conflict in one place, or everywhere?

# %%
results.figure("conflict_by_module")

# %% [markdown]
# ## Does it change while the joint model trains?
#
# `spkit.ConflictCallback` measures along a training. Move the slider through the steps.

# %%
from spkit.widgets import conflict_widget

conflict_widget(results["conflict_along_training_by_module"])

# %%
results.figure("conflict_along_training")

# %% [markdown]
# ## Does conflict predict what joint training loses?
#
# The useful question. Each point is a pair of tasks: horizontally, the corrected cosine at the base; vertically, what joint training
# on the pair gained or lost against training on each task alone.

# %%
results.figure("pairs")

# %% [markdown]
# Another way to ask: take one training step on task A, and see what happens to the loss of task B (*inter-task affinity*).

# %%
results.figure("affinity")

# %% [markdown]
# **Answer.** See the correlation above the scatter. If its interval contains 0, these data do not show that the cosine predicts what
# joint training does; a negative cosine is then a reason to look closer, not a prediction.
#
# ## What to try
#
# - Raise `batches` to 16 in the cell that measures: the intervals shrink, the corrected cosine stays about the same, the raw one moves
#   away from 0.
# - Put two halves of one task in, `from dataclasses import replace; chat = tasks["chat"]; n = len(chat.train) // 2` and
#   `[replace(chat, name="first", train=chat.train.select(range(n))), replace(chat, name="second", train=chat.train.select(range(n, 2 * n)))]`:
#   the corrected cosine should be near 1.
# - Measure at an expert instead of the base: `results.vectors().at({"headline": 0, "topic": 0, "similarity": 0, "chat": 1})`.
