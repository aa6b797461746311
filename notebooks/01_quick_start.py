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
# **One question:** you have one base model and several tasks. Should you train on all of them jointly, or train one expert a task
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
# Points from 0 to 100 with the 95 % interval over the test examples. Read the last column first: the mean over the tasks.

# %%
from spkit.figures import summary_table

summary_table(results["scores"])

# %% [markdown]
# An **expert** is best where it was trained, and often worse than the base elsewhere. **Joint training** and **merging** both look
# for one model that does everything.

# %%
results.figure("methods")

# %% [markdown]
# ## In words
#
# The same findings as sentences. The verdict stands near the end, with what would change it.

# %%
from IPython.display import Markdown

Markdown(results.words())

# %% [markdown]
# ## How sure is a difference?
#
# Two methods are compared on the same resampled test examples, so that what is hard for both cancels out. An interval that holds
# zero means: these data do not tell the two apart.

# %%
results.figure("differences")

# %% [markdown]
# ## Where the search went
#
# A merge is the base plus a weighted sum of **task vectors** (expert minus base). *Self Positioning* finds the weights by gradient
# descent on a few hundred examples. Move the slider through the steps of the search.

# %%
from spkit.explorer.lessons import search_lesson

search_lesson(results["history"])

# %% [markdown]
# ## Move the model yourself
#
# With the task vectors you can go to any position. Each call gives an ordinary sentence-transformers model. (If no run has left
# task vectors yet, the next cell trains the experts first and says so.)

# %%
vectors = results.vectors()
halfway = vectors.at(dict.fromkeys(vectors.names, 0.5))
pair = halfway.encode(["a sharp rise in profit", "earnings grew strongly"])
print(vectors, "similarity at 0.5 of every vector:", float(halfway.similarity(pair[:1], pair[1:])))

# %% [markdown]
# ## What to try
#
# - Change 0.5 to 0 (the base) and to 1 (the plain sum), and look at the similarity again.
# - `spkit.evaluate(halfway, spkit.load_tasks("bundled"))` scores a position on all tasks; it takes about a minute.
# - Go on with the next notebook: do the tasks conflict at all?
