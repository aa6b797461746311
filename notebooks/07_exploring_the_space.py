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
# # Exploring the space between your models
#
# **One question:** what is between the experts?
#
# Each slider is a task vector. While you drag, the scores are **interpolated** between positions that were measured once, with their
# cross-validated error. When you stop, the position itself is **measured**, on at most 48 short examples a task.
#
# The first time, the next cell measures these positions: about a minute and a half on two cores, with a progress bar. They are kept.

# %%
import spkit

results = spkit.open_results()
results

# %%
explorer = spkit.explore_study(results.run())
explorer

# %% [markdown]
# - **Weights and length** is the paper's path: only ratios of the weights matter; λ is how far you go. **Free** moves the
#   coefficients themselves, below zero if you like.
# - The **map** is the plane of two task vectors with true angles and lengths. Contours are cut where you are: move a third slider
#   and they change.
# - The bars' marks are the base, each task's own expert, and joint training.
#
# ## What to try
#
# - Start at an expert, and bring in a second one: who loses first?
# - Find a place with a better mean than the search's. Is it better by more than the interpolation's error? Measured on these few
#   examples, is it also better on the test set? `spkit.evaluate(explorer.model(), spkit.load_tasks("bundled"))`
# - *Save model* writes a folder; *copy as code* gives the lines that rebuild the place.
