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
# # Data imbalance: does the big set drown the small one?
#
# **One question:** when one task has ten times the examples of another, whose model do you get?

# %%
import spkit

results = spkit.open_results()
results

# %% [markdown]
# ## Who is large?
#
# Size has several meanings: examples, tokens, steps of joint training, and how hard the gradient pulls. They need not agree.

# %%
tasks = spkit.load_tasks("bundled")
spkit.imbalance(tasks, model=spkit.load_base("minilm-l3", max_seq_length=32))

# %%
results.figure("imbalance")

# %% [markdown]
# ## More examples, longer task vector
#
# Train on 64, 128, 256 … examples and measure how far the weights move. At fixed *epochs* more examples also mean more steps; at
# fixed *steps* they do not. Only both together tell whether it is the data or the number of updates.

# %%
results.figure("norms")

# %%
results["norms_fit"]

# %% [markdown]
# ## Joint training leans to the larger set
#
# Two tasks, one total number of examples, several mixture ratios. The slider moves the ratio; the bars say how far the joint
# model's vector stands from that of each task alone. Equal angles mean a fair compromise.

# %%
from spkit.explorer.lessons import mixture_lesson

mixture_lesson(results["angles"])

# %%
results.figure("angles")

# %% [markdown]
# ## What each task weighs in the joint model
#
# The joint model's task vector, written as a weighted sum of the experts' vectors as well as that goes.

# %%
results.figure("effective_weights")

# %% [markdown]
# ## What to try
#
# - `spkit.imbalance(tasks, ...)` on your own tasks: [notebook 10](10_your_own_models_and_data.ipynb) shows how to name them.
# - Train with `sampling="uniform"` or a temperature, and measure the angle again: `spkit.angle_ladder`.
# - Does merging suffer from imbalance too? A long vector weighs more in an average: `results.vectors().norms()`.
