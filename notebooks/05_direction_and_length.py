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
# # What matters: direction and length
#
# **One question:** a merge is a point in space. Is it the direction that counts, or how far you go?

# %%
import spkit

results = spkit.open_results()
results

# %% [markdown]
# ## Two numbers instead of a method's name
#
# Every merge of two experts is base + λ · (direction between the two vectors). The *direction* is the share x of one vector; the
# *length* is λ. Sweeping each alone shows what methods trade.

# %%
results.figure("sweep_direction")

# %% [markdown]
# Each panel is a pair; the mark is where the search went. A flat curve says: the direction hardly matters for this pair.
#
# ## Length

# %%
results.figure("sweep_length")

# %% [markdown]
# The average of N nearly orthogonal vectors is short: its length is only 1/√N of an expert's. Much of what better merges gain is
# length. TIES and task arithmetic with a tuned λ get it back.
#
# ## Do the sum yourself
#
# The Gram matrix (all inner products) is all one needs: no weights are touched.

# %%
import numpy as np

vectors = results.vectors()
gram = vectors.gram().numpy()
share = np.full(len(vectors), 1 / len(vectors))
average = np.sqrt(share @ gram @ share)
print(f"length of the average: {average:.2f}; mean length of the experts: {np.sqrt(gram.diagonal()).mean():.2f}")

# %% [markdown]
# ## A slider for both
#
# The paper's path turns weights and a length into coefficients. The slider moves along the arc from the first vector to the second:
# the length hardly changes, while that of the straight line between the two sags in the middle.

# %%
from spkit.explorer.lessons import arc_lesson

arc_lesson(vectors)

# %% [markdown]
# ## What to try
#
# - `spkit.SlerpPath(common_norm=True)` scales all vectors to one length first. When would that help?
# - `spkit.sweep(vectors, tasks, over="length")` on your own vectors.
# - Two opposite vectors have no arc between them: see what `spkit.SlerpPath()` says.
