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
# # The sequential pipeline: train one after the other, then merge
#
# **One question:** experts may also be trained one after the other, each from the last. Does merging along that way help?

# %%
import spkit

results = spkit.open_results()
results

# %% [markdown]
# ## Two pipelines
#
# *Separate*: every expert starts at the base. *Sequential* (the paper says iterative): each starts where the last one ended, so that the
# last model has seen all tasks, and may have forgotten the first ones. Both leave task vectors (model minus base), and both can be merged
# by every method.

# %%
results.figure("pipelines")

# %%
pipelines = results["pipelines"]
means = pipelines[pipelines["task"].isin(["mean", "unseen mean"])]
means.pivot_table(index="method", columns=["task", "pipeline"], values="score").round(1)

# %% [markdown]
# ## Vectors of a sequence are not orthogonal
#
# The second expert's vector contains the first one's. That changes what an average means.

# %%
tasks = spkit.load_tasks("bundled", names=["similarity", "chat"])
base = spkit.load_base("minilm-l3", max_seq_length=32)
print("Two short trainings, about half a minute on two cores.")
first = spkit.train(base, tasks["similarity"], steps=16)
second = spkit.train(first, tasks["chat"], steps=16)
vectors = spkit.TaskVectors.from_models(base, {"similarity": first, "then chat": second})
vectors.cosines()

# %% [markdown]
# Did the second training cost the first task anything? Scores after the first training, then after the second (some fifteen seconds).

# %%
display(spkit.evaluate(first, tasks), spkit.evaluate(second, tasks))

# %% [markdown]
# ## A slider between the two
#
# How far from the first model to the last? The slider goes along the arc between their vectors.

# %%
from spkit.widgets import arc_widget

arc_widget(vectors)

# %% [markdown]
# **Answer.** Compare the two columns of the table above row by row; `last` is the sequence without a merge. The bars of the figure say how
# large chance over test examples is.
#
# ## What to try
#
# - Swap the order of the tasks: which one is forgotten?
# - The sequence in one call: `models = {}`, then
#   `spkit.train(base, list(tasks.values()), order="sequential", steps=16, after_each=models.__setitem__)`.
# - Search on these vectors: `spkit.self_position`.
