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
# A task vector is expert minus base. Their lengths and angles decide how merges behave. (If no study has left task vectors yet, the next
# cell trains the experts first: about three minutes on two cores.)

# %%
vectors = results.vectors()
display(vectors.norms().to_frame(), vectors.cosines())

# %%
results.figure("geometry")

# %% [markdown]
# ## The methods
#
# Each has a name, parameters with defaults, and a paper. Those that read data need `tasks`.

# %%
from spkit.merging import method_table

method_table()

# %% [markdown]
# mergekit's methods stand beside them, behind `mergekit:`.

# %%
spkit.merge_methods()

# %% [markdown]
# ## TIES by hand
#
# *Trim*: keep the largest entries of each vector. *Elect*: take, for each weight, the sign of their sum. *Mean*: average the entries that
# have this sign. The slider sets the density: how many entries of each vector stay. (Six merges of the demo's vectors: some twenty
# seconds.)

# %%
from spkit.widgets import ties_widget

ties_widget(vectors)

# %% [markdown]
# Move to 10 %: how much of the length is left? TIES rests on the observation that few entries hold most of a task vector.
#
# ## One call
#
# Every method is the same call, and what comes out is an ordinary sentence-transformers model that carries its recipe.

# %%
merged = spkit.merge(vectors.base, vectors, method="ties", density=0.2)
recipe = spkit.recipe_of(merged)
recipe["method"], recipe["settings"]

# %% [markdown]
# ## Which one scores best?
#
# Points with 95 % intervals over test examples; *tuned* means that the length was chosen on training examples.

# %%
results.figure("methods")

# %% [markdown]
# **Answer.** Where intervals largely overlap, these data do not show which rule is better. Among such rules start with the simplest; try one that reads data
# (Fisher, RegMean) if you have some.
#
# ## What to try
#
# - `spkit.merge(vectors.base, vectors, method="mergekit:karcher")`: mergekit's methods, by pass-through.
# - Data-driven ones read examples: `method="fisher", tasks=spkit.load_tasks("bundled")` (half a minute).
# - `spkit.save_model(merged, "../runs/ties")` writes a model card and the recipe, and `mergekit.yml` where mergekit can make the same
#   weights: for TIES that is `scope="tensor"`, trimming each tensor by itself.
