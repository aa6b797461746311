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
# # Quick start: what a finished study says
#
# **One question:** you have one base model and several tasks. Should you train on all of them jointly, or train one expert per task
# and merge the experts?
#
# A study answers it: it trains, merges, searches, and scores everything on the same test examples. This notebook reads what a study
# left. If you ran `make demo`, these are your own numbers; before that, those that come with the project.

# %%
import spkit

results = spkit.open_results()
results

# %% [markdown]
# ## The scores
#
# Points from 0 to 100 with the 95 % interval over the test examples (it does not cover another training run). Read the last column
# first: the mean over the tasks.
#
# The demo's tasks: *headline*, find a BBC article by its headline (nDCG@10); *topic*, classify headlines (accuracy); *similarity*,
# human similarity of words and documents (Spearman's ρ); *chat*, find the reply to a message (nDCG@10). Its base is MiniLM cut to three
# layers: weak, so that experts differ.
#
# The rows: the base, one expert per task, joint training, then merges of the experts. *Average* to *loss-weighted* are fixed rules
# ([notebook 4](04_merging_methods.ipynb)); *tuned* means that their length was chosen on training examples. *Self Positioning* searches
# the weights of the merge, *by module* separately in each part of each layer ([notebook 6](06_self_positioning.ipynb)).

# %%
from spkit.results import summary_table

summary_table(results["scores"])

# %% [markdown]
# An **expert** is trained for one task; on the others it may gain or lose against the base. **Joint training** and **merging** both
# look for one model that does everything.

# %%
results.figure("methods")

# %% [markdown]
# ## Which task counts how much?
#
# The mean gives every task the same weight; you may not. Move the slider: does another method come first?

# %%
from spkit.widgets import ranking_widget

ranking_widget(results["scores"])

# %% [markdown]
# ## In words
#
# A merge is the base plus a weighted sum of **task vectors** (expert minus base); a *conflict* is gradients that point in opposite directions.
# The same findings as sentences. The verdict stands near the end, with what would change it.

# %%
from IPython.display import Markdown

Markdown(results.words())

# %% [markdown]
# ## How sure is a difference?
#
# Two methods are compared on the same resampled test examples, so that what is hard for both cancels out. An interval that contains
# zero means: these data do not show which of the two is better.

# %%
results.figure("differences")

# %% [markdown]
# ## Move the model yourself
#
# With the task vectors you can go to any position. Each call gives an ordinary sentence-transformers model. (If no run has left
# task vectors yet, the next cell trains the experts first: about three minutes on two cores.)

# %%
vectors = results.vectors()
halfway = vectors.at(dict.fromkeys(vectors.names, 0.5))
pair = halfway.encode(["a sharp rise in profit", "earnings grew strongly"])
print(vectors, "similarity at 0.5 of every vector:", float(halfway.similarity(pair[:1], pair[1:])))

# %% [markdown]
# **Answer.** The *Verdict* above, for these tasks, this base and these settings: one for who serves these tasks (*mean*), and where the
# study scored tasks that nobody trained on, one for who wants a general model (*unseen mean*). The intervals are over test examples;
# the differences by seed, where there are several, show what another training would change.
#
# ## What to try
#
# - Change 0.5 to 0 (the base) and to 1 (the plain sum), and look at the similarity again.
# - `spkit.evaluate(halfway, spkit.load_tasks("bundled"))` scores a position on all tasks; it takes some ten seconds.
# - Go on with the next notebook: do the tasks conflict at all?
