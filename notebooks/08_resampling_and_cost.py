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
# better? (A *balance* is one choice of how much each task counts.)

# %%
import spkit

results = spkit.open_results()
results

# %% [markdown]
# ## Resampling means training again
#
# For every mixture ratio one wants to try, a joint model must be trained and evaluated. Merging trains the experts once, then only searches.

# %%
results.figure("resampling")

# %%
results.figure("resampling_scores")

# %% [markdown]
# ## The price of each stage
#
# Examples, tokens, FLOPs (floating point operations of linear layers and attention; `help(spkit.count_costs)` has the formula) and
# seconds, for the stages of the headline comparison.

# %%
costs = results["costs"]
headline = costs[costs["stage"].str.match(r"(train|merge|tune|search)/")]
headline.groupby("stage", sort=False)[["examples", "tokens", "flops", "seconds"]].mean()

# %% [markdown]
# ## A slider for your own prices
#
# Experts that are there already cost nothing more. How many times would you have to change the balance for merging to pay off?
# The slider is the number of balances tried.

# %%
from spkit.widgets import cost_widget

cost_widget(costs)

# %% [markdown]
# ## Count it in your own code
#
# Some seconds.

# %%
tasks = spkit.load_tasks("bundled", names=["chat"])
base = spkit.load_base("minilm-l3", max_seq_length=32)
with spkit.count_costs() as cost:
    spkit.evaluate(base, tasks)
cost

# %% [markdown]
# **Answer.** In the first figure: higher is better, further left is cheaper. The slider speaks of cost only.
#
# ## What to try
#
# - `two = spkit.load_tasks("bundled", names=["headline", "similarity"])`, then `spkit.resample(two, [1, 3])` gives resampled tasks for
#   `spkit.train`.
# - `spkit.train_with_surgery(base, two, steps=8)` takes a batch of every task at each step and changes the gradients instead; put it
#   inside `count_costs`.
# - From how many balances on is merging cheaper if you also pay for the experts?
