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
# # Self Positioning: let gradient descent find the place
#
# **One question:** can a few hundred examples and a few dozen steps find a better merge than any fixed rule?

# %%
import spkit

results = spkit.open_results()
results

# %% [markdown]
# ## The idea
#
# A position is base + V·c with one coefficient a task. The gradient of the loss with respect to c is the projection of the ordinary
# gradient on the task vectors, so one step costs one forward and backward pass, however many vectors there are.

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
# An interval for each coefficient, and how much the loss curves along it: a flat direction means that the coefficient does not
# matter much.

# %%
spkit.uncertainty(result, probe).coefficients

# %% [markdown]
# ## The study's search
#
# Move through its steps: left the coefficients, right the losses of the tasks.

# %%
from spkit.explorer.lessons import search_lesson

search_lesson(results["history"])

# %%
results.figure("trajectory")

# %% [markdown]
# ## One coefficient a module
#
# A merge may take another share of each vector in every layer. More freedom, more to overfit.

# %%
results.figure("coefficients")

# %% [markdown]
# ## Settings that matter
#
# μ keeps the length short; the probe may be small.

# %%
results.figure("sweep_mu")

# %%
results.figure("sweep_probe_size")

# %% [markdown]
# ## Trade one task for another
#
# Weights in the objective trace the front between two tasks.

# %%
results.figure("trade_off")

# %% [markdown]
# ## What to try
#
# - `optimizer="lbfgs"` sees the whole probe in every step: few steps, no learning rate.
# - `spkit.search(vectors, probe, "cma", budget=40)`: does gradient descent beat a black box?
# - `spkit.choose_mu(vectors, *probe.hold_back())` chooses μ on examples the search has not seen.
