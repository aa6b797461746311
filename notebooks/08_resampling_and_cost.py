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
# # Resampling and cost: what does a better balance cost?
#
# **One question:** instead of merging, one can resample the data until the joint model is balanced. Which is cheaper, which is
# better?

# %%
import spkit

results = spkit.open_results()
results

# %% [markdown]
# ## Resampling means training again
#
# For every mixture ratio one wants to try, a joint model must be trained and judged. Merging trains once, then moves.

# %%
results.figure("resampling")

# %%
results.figure("resampling_scores")

# %% [markdown]
# ## The price of each stage
#
# Examples, tokens, FLOPs (by a stated formula) and seconds, for every stage of the study.

# %%
costs = results["costs"]
costs.groupby("seed")[["examples", "flops", "seconds"]].sum(numeric_only=True)

# %% [markdown]
# ## A slider for your own prices
#
# Experts that are there already cost nothing more. How many times would you have to change the balance for merging to pay off?
# The slider is the number of balances tried.

# %%
from spkit.explorer.lessons import cost_lesson

cost_lesson(costs)

# %% [markdown]
# ## Count it in your own code

# %%
tasks = spkit.load_tasks("bundled", names=["chat"])
base = spkit.load_base("minilm-l3", max_seq_length=32)
with spkit.count_costs() as cost:
    spkit.evaluate(base, tasks)
cost

# %% [markdown]
# ## What to try
#
# - `spkit.resample(tasks, [1, 3])` gives resampled tasks for `spkit.train`.
# - `spkit.train_with_surgery(...)` keeps the mixture and mends the gradients instead: what does it cost a step?
# - Is the verdict the same if you pay for the experts?
