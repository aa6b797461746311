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
# # Data imbalance: does the large data set dominate the small one?
#
# **One question:** when one task has several times the examples of another, whose model do you get?

# %%
import spkit

results = spkit.open_results()
results

# %% [markdown]
# ## Which task is large?
#
# Size has several meanings: examples, tokens, steps of joint training, and the length of the gradient. They need not agree. The table
# (some twenty seconds) is for a joint training that takes each task in proportion to its examples; the figure below it is for the
# study's own, which may take all tasks equally often.

# %%
tasks = spkit.load_tasks("bundled")
spkit.imbalance(tasks, model=spkit.load_base("minilm-l3", max_seq_length=32), batches=8)

# %%
results.figure("imbalance")

# %% [markdown]
# ## Do more examples make a longer task vector?
#
# A *task vector* is expert minus base: what training changed. Train on more and more examples, and measure its length. At fixed *epochs* more examples also mean more steps; at
# fixed *steps* they do not. Only both together show whether it is the data or the number of updates. (At fixed epochs a classification
# task takes up to two steps fewer than others of its size: its last batches are left out where they hold no two examples of a label.)

# %%
results.figure("norms")

# %% [markdown]
# Lines through these points. On the scale `log` the slope is an exponent: 0.5 means that four times the examples move the weights twice
# as far. R² is the share of the variation that the line explains.

# %%
results["norms_fit"]

# %% [markdown]
# ## Where does the joint model's vector point?
#
# Two tasks, one total number of examples, several mixture ratios. The slider moves the ratio; the bars say how far the joint
# model's vector stands from that of each task alone, and how long the three vectors are. Equal angles: the joint model leans to neither.

# %%
from spkit.widgets import mixture_widget

mixture_widget(results["angles"])

# %%
results.figure("angles")

# %% [markdown]
# ## What each task weighs in the joint model
#
# The joint model's task vector, written as a weighted sum of the experts' vectors as well as possible. This is the study's joint
# training again, with its own sampling.

# %%
results.figure("effective_weights")

# %% [markdown]
# **Answer.** Look at the angles again: if the line of each task falls as its share grows, the joint model turns towards a task as that
# task's share grows. Which of the two it stands nearer to is another question: the bars at each ratio answer it. At fixed epochs the
# larger set also gets more steps, so that this is examples and updates together.
#
# ## What to try
#
# - `spkit.imbalance(tasks, ...)` on your own tasks: [notebook 10](10_your_own_models_and_data.ipynb) shows how to name them.
# - Sample evenly and measure the angles again, about a minute:
#   `base = spkit.load_base("minilm-l3", max_seq_length=32)`, then
#   `spkit.angles_by_ratio(base, tasks["headline"], tasks["similarity"], [(3, 1), (1, 3)], total=384, epochs=1, sampling="uniform")`.
# - Does merging suffer from imbalance too? A long vector weighs more in an average: `results.vectors().norms()`.
