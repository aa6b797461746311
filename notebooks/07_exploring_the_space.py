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
# **One question:** what lies between the experts?
#
# Each slider is a *task vector*, expert minus base, and one is the length λ. While you drag, the scores are **interpolated** between positions that were measured once, with their
# cross-validated error. When you stop, the position itself is **measured**, on at most 24 short examples per task.
#
# The first time, the cell that opens the explorer measures these positions: about a minute and a half on two cores, with a progress
# bar; they are kept. (If no study has left task vectors yet, it trains the experts before: about three minutes.)

# %%
import spkit

results = spkit.open_results()
results

# %%
explorer = spkit.explore_study(results.run())
explorer

# %% [markdown]
# - **Weights and length** is the path of the paper (arXiv 2410.15035): only ratios of the weights matter; λ is how far you go. **Free** moves the
#   coefficients themselves, below zero if you like.
# - The **map** is the plane of two task vectors with true angles and lengths. Contours are the interpolated mean in this plane,
#   with the other coefficients kept as they are; move a third slider and they change. A hollow mark is a model at other coefficients than
#   yours: the contours around it do not hold for it.
# - The bars' marks are the base, each task's own expert, and, where the whole study was run, joint training and the merges that are best on
#   the study's means. The verdict of that study stands on top.
# - **Unseen tasks** are those that the study scored and nobody trained on. They have bars of their own, at the bottom, on a few examples of
#   their *test* splits: measured when you stop, never interpolated, and switched off with a click. They are for looking only. Who chooses a
#   place by them has trained on them.
#
# **Answer.** If some place between two experts has a better mean than both, merging beats either of them; the mark of
# joint training shows whether it pays. If the score only falls from one to the other, it is a trade-off.
#
# ## What to try
#
# - Start at an expert, and bring in a second one: which task loses first?
# - Where do the unseen tasks fall below the base: near the experts, or far out? (`explorer.exploration.scores(coefficients)` has the
#   numbers of a place as a table, with the role of each task and both means.)
# - Find a place with a better mean than the search's. The measured value rests on at most 24 examples per task, and you looked at many
#   places: a point or two may be chance. Check on all dev examples, `spkit.evaluate(explorer.model(), spkit.load_tasks("bundled"),
#   split="dev")`, and look at `split="test"` once, at the end.
# - *Save model* writes a folder; *copy as code* gives the lines that rebuild the place.
