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
# # Resampling and cost: what does another balance cost?
#
# **Question.** One can also resample the data until the joint model is balanced. Which way is cheaper, which is better?
#
# **Guess first**: from how many tried balances on is merging cheaper, if you also pay for the experts?

# %%
guess = 3

# %% [markdown]
# ## Two straight lines
#
# A *balance* is one choice of how much each task counts. Each balance takes a joint training, of cost J. Merging trains the experts once, E,
# then searches for each balance, S:
#
# $$\mathrm{joint}(k) = k\,J, \qquad \mathrm{merging}(k) = E + k\,S, \qquad k^* = \frac{E}{J - S} .$$
#
# Make the search dearer. When does merging never pay?

# %%
import numpy as np

import spkit
from spkit.drawing import Sheet
from spkit.widgets import Sliders


def draw(J, E, S):
    k = np.arange(0, 11)
    sheet = Sheet(5.0, 2.5)
    panel = sheet.subplots()
    panel.plot(k, k * J, color="C6", label="joint training each time")
    panel.plot(k, E + k * S, color="C5", label="experts once, search each time")
    panel.plot(k, k * S, color="C5", linestyle=":", label="experts are there")
    panel.set(xlabel="balances tried, k", ylabel="cost", ylim=(0, 20))
    panel.legend()
    return (
        sheet,
        f"Merging is cheaper from {E / (J - S):.1f} balances on."
        if J > S
        else "A search costs as much as a training: merging never pays.",
    )


Sliders(draw, J=(0.2, 3, 1), E=(0.2, 3, 1), S=(0.1, 2, 0.5))

# %% [markdown]
# ## Measured: quality and cost

# %%
results = spkit.open_results()
results.figure("resampling")

# %%
results.figure("resampling_scores")

# %% [markdown]
# ## Your own prices
#
# FLOPs of the demo (multiplications and additions of the network). Move the number of balances.

# %%
from spkit.widgets import cost_widget

costs = results["costs"]
cost_widget(costs)

# %%
stages = costs[costs["stage"].str.match(r"(train|search)/")].groupby("stage", sort=False)
table = stages[["examples", "flops", "seconds"]].mean()
table.assign(flops=(table["flops"] / 1e12).round(2)).rename(columns={"flops": "10¹² FLOPs"}).round(2)

# %% [markdown]
# ## Count it in your own code
#
# Whatever runs inside is counted.

# %%
tasks = spkit.load_tasks("bundled", names=["chat"])
base = spkit.load_base("minilm-l3", max_seq_length=32)
with spkit.count_costs() as cost:
    spkit.evaluate(base, tasks, split="dev")
cost

# %% [markdown]
# ## The answer

# %%
from IPython.display import Markdown

flops = costs.groupby("stage")["flops"].mean()
J, S = flops["train/joint"], flops["search/self_position"]
E = flops[[name for name in flops.index if name.startswith("train/") and name != "train/joint"]].sum()
pays = (
    f"from **{E / (J - S):.1f}** balances on" if J > S else "**never**: here a search costs more than a joint training"
)
said = f"You guessed **{guess}**. By these costs merging is cheaper {pays} (J = {J / 1e12:.1f}, E = {E / 1e12:.1f}, S = {S / 1e12:.1f}, in 10¹² FLOPs)."
Markdown(said + "\n\n" + results.words("ways to mix") + "\n" + results.words("cost:"))

# %% [markdown]
# ## What to try
#
# - Resampled tasks for `spkit.train`: `two = spkit.load_tasks("bundled", names=["headline", "similarity"])`, then
#   `spkit.resample(two, [1, 3])`.
# - `spkit.train_with_surgery(base, two, steps=8)` takes a batch of every task at each step and changes the gradients instead; put it
#   inside `count_costs`.
# - A shorter search changes S: half the steps, half the price. What does it score ([notebook 6](06_self_positioning.ipynb))?
