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
# # Self Positioning: let gradient descent find the position
#
# **One question:** can a few hundred examples and a few dozen steps find a better merge than any fixed rule?

# %%
import spkit

results = spkit.open_results()
results

# %% [markdown]
# ## The idea
#
# A *task vector* is expert minus base. Let V be the task vectors as columns: a position is base + V·c, with one coefficient per task.
# *Self Positioning* minimises loss(*probe*) + μ·λ: the probe is a small sample of training examples, and λ multiplies the step from the
# base (at 1 it is as long as SLERP between the vectors makes it). By the chain rule ∂L/∂cᵢ = ⟨∇L, Vᵢ⟩: a step costs one forward and backward pass for each task's batch, then N inner products.
#
# (If no study has left task vectors yet, the next cell trains the experts first: about three minutes on two cores.)

# %%
vectors = results.vectors()
tasks = spkit.load_tasks("bundled", names=list(vectors.names))
probe = spkit.Probe.sample(tasks, size=256)
print(len(probe), "examples to search on, out of", sum(len(task.train) for task in tasks.values()))

# %% [markdown]
# ## Search
#
# Twenty steps here (about half a minute on two cores); the study takes more.

# %%
result = spkit.self_position(vectors, probe, optimizer="adam", learning_rate=0.1, steps=20, batch_size=16)
result.coefficients

# %% [markdown]
# ## How sure is it?
#
# The interval says how far another probe of this size would have moved a coefficient, had the search reached the lowest loss; twenty
# steps may not have. Where the loss does not curve upwards, nothing bounds the coefficient, and the interval is infinite. (About a
# minute: nine passes over the probe.)

# %%
spkit.uncertainty(result, probe).coefficients

# %% [markdown]
# ## The study's search
#
# Move through its steps: left the coefficients, right the losses of the tasks.

# %%
from spkit.widgets import search_widget

search_widget(results["history"])

# %%
results.figure("trajectory")

# %% [markdown]
# ## One coefficient per module
#
# A merge may take another share of each vector in every part of every layer. That is more freedom, and more risk of overfitting.

# %%
results.figure("coefficients")

# %% [markdown]
# ## Settings that matter
#
# How strongly should μ hold the length back, and how large must the probe be?

# %%
results.figure("sweep_mu")

# %%
results.figure("sweep_probe_size")

# %% [markdown]
# ## The trade-off between two tasks
#
# Weighting one task more in the loss gives a series of positions; those that no other position beats on both tasks form the *Pareto front*.

# %%
results.figure("trade_off")

# %% [markdown]
# ## Against the fixed rules

# %%
results.figure("differences")

# %% [markdown]
# **Answer.** The right panel: right of the line the search is better than the best fixed rule; an interval that contains 0 leaves it
# open.
#
# ## What to try
#
# - `spkit.self_position(vectors, probe, optimizer="lbfgs", steps=10, batch_size=16)` sees the whole probe in every step: few steps, no
#   learning rate (about a minute).
# - `other = spkit.search(vectors, probe, "cma", budget=40, batch_size=16)`: does gradient descent beat a black box? Compare
#   `spkit.evaluate(other.model(), tasks, split="dev")` with that of `result`, since the losses in the two histories are not of the same examples.
# - `spkit.choose_mu(vectors, *probe.hold_back(), candidates=(0.0, 0.03), optimizer="adam", steps=20, batch_size=16)` chooses μ on examples
#   the search has not seen.
# - For a study of your own, load its task file in place of the bundled tasks.
