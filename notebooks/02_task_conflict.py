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
# # Task conflict: do your tasks pull against each other?
#
# **One question:** before you train jointly, can you see whether tasks will fight?
#
# A task's gradient says where it wants the weights to go. If the gradients of two tasks point in opposite directions, a step that
# helps one hurts the other. That is what the **cosine** of two gradients measures: 1 is agreement, 0 is indifference, below 0 is
# conflict.

# %%
import spkit

results = spkit.open_results()
results

# %% [markdown]
# ## The cosine is biased, and can be corrected
#
# A gradient comes from a batch, and batches are noisy. Noise makes every cosine look nearer to 0 than it is: even a task compared
# with itself does not reach 1. spkit estimates how high a cosine could get (the *ceiling*) and divides by it. Where the noise is
# larger than the gradient, it says **undetermined** instead of a number.

# %%
results.figure("conflict")

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
# ## Which layers fight?
#
# Conflict is seldom everywhere. Each row is a module of the encoder.

# %%
results.figure("conflict_by_module")

# %% [markdown]
# ## Does it change while the joint model trains?
#
# `spkit.ConflictCallback` measures along a training. Move the slider through the steps.

# %%
from spkit.explorer.lessons import conflict_lesson

conflict_lesson(results["conflict_along_training_by_module"])

# %%
results.figure("conflict_along_training")

# %% [markdown]
# ## Does conflict predict what joint training loses?
#
# The useful question. Each point is a pair of tasks: across, the corrected cosine at the base; up, what joint training on the pair
# gained or lost against training on each task alone.

# %%
results.figure("pairs")

# %% [markdown]
# Another way to ask: take one training step on task A, and see what happens to the loss of task B (*inter-task affinity*).

# %%
results.figure("affinity")

# %% [markdown]
# ## What to try
#
# - Raise `batches` in the cell above: the intervals shrink, the corrected cosine stays, the raw one grows.
# - Put two halves of one task in: the corrected cosine should be near 1.
# - Compare models: the cosine at an expert is another one than at the base.
