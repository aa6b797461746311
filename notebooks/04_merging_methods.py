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
# # Merging methods: what is there, and what does each do to the task vectors?
#
# **One question:** which merge should you start with?

# %%
import spkit

results = spkit.open_results()
results

# %% [markdown]
# ## Task vectors
#
# A task vector is expert minus base. Their lengths and angles decide how merges behave.

# %%
vectors = results.vectors()
vectors.norms(), vectors.cosines()

# %%
results.figure("geometry")

# %% [markdown]
# ## The methods
#
# | method | what it does |
# |---|---|
# | average | adds 1/N of every vector |
# | task arithmetic | adds the same share λ of every vector |
# | SLERP | goes along the arc between vectors, and keeps their length |
# | TIES | keeps the large entries, elects a sign for each weight, averages those that agree |
# | DARE | drops entries at random and scales the rest up |
# | Fisher | weighs every parameter by how sure the task is of it |
# | RegMean | solves each linear layer by least squares on the tasks' own inputs |
# | loss-weighted | softmax of minus the losses on the tasks |

# %%
spkit.merge_methods()

# %% [markdown]
# ## TIES by hand
#
# Trim, elect, mean. The slider sets the density: how many entries of each vector stay. (Six merges of the demo's vectors: some
# twenty seconds.)

# %%
from spkit.explorer.lessons import ties_lesson

ties_lesson(vectors)

# %% [markdown]
# A tenth of the entries carries most of the length: that is why trimming costs so little.
#
# ## One call
#
# Every method is the same call, and what comes out is an ordinary sentence-transformers model that carries its recipe.

# %%
merged = spkit.merge(vectors.base, vectors, method="ties", density=0.2)
merged.recipe["method"], merged.recipe["settings"]

# %% [markdown]
# ## Which one wins?

# %%
results.figure("methods")

# %% [markdown]
# ## What to try
#
# - `spkit.merge(vectors.base, vectors, method="mergekit:karcher")`: mergekit's methods, by pass-through.
# - Data-driven ones read examples: `method="fisher", tasks=spkit.load_tasks("bundled")`.
# - `spkit.save_model(merged, "runs/ties")` writes `mergekit.yml` too, so that mergekit makes the same weights.
