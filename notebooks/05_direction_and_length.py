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
# A *task vector* is expert minus base. Averages, task arithmetic and SLERP of two experts all lie in the plane of their two task vectors,
# at base + λ · direction. The *direction* is a share x, from 0 (towards the first expert) to 1 (towards the second); the *length* λ says
# how far one goes: at λ = 1 as far as the method itself goes, at 2 twice as far. Sweeping each alone shows which of the two matters. The
# sweep over x stays at the length that the search found, so that its ends are the experts themselves only where that length is 1.

# %%
results.figure("sweep_direction")

# %% [markdown]
# Each panel is a pair, with one curve per task. The star is the position that the search found; it may lie off the curve because it holds
# the other tasks' vectors too. A flat curve says: for this task the direction between these two hardly matters.
#
# ## Length

# %%
results.figure("sweep_length")

# %% [markdown]
# Move the slider through the lengths: which length is best for which task? Where the study scored unseen tasks, look at them, too: what
# is best for the trained ones may be too long for a general model.

# %%
from spkit.widgets import length_widget

length_widget(results["sweeps"])

# %% [markdown]
# ## Calculate it yourself
#
# Lengths below are distances between the models' weights, no multiples like λ.
#
# The average of N nearly orthogonal vectors of equal length is short: 1/√N of that length. Whether going further helps is what the
# curves above say. The Gram matrix (all inner products) gives the length and angle of any weighted sum. (If no study has left task
# vectors yet, the next cell trains the experts first: about three minutes on two cores.)

# %%
import numpy as np

vectors = results.vectors()
gram = vectors.gram().numpy()
share = np.full(len(vectors), 1 / len(vectors))
average = np.sqrt(share @ gram @ share)
print(f"length of the average: {average:.2f}; mean length of the experts: {np.sqrt(gram.diagonal()).mean():.2f}")

# %% [markdown]
# ## A slider for the direction
#
# The path of the paper (Self Positioning, arXiv 2410.15035) turns weights and a length into coefficients. The slider moves along the arc from the first vector to the second:
# the length hardly changes, while the straight line between the two comes nearer to the base in the middle.

# %%
from spkit.widgets import arc_widget

arc_widget(vectors)

# %% [markdown]
# **Answer.** Where scores change more along x than along λ, over the ranges shown, direction matters more for that task.
#
# ## What to try
#
# - `spkit.merge(vectors.base, vectors, "slerp", common_norm=True)` scales all vectors to one length first. When would that help?
# - `spkit.sweep(vectors, spkit.load_tasks("bundled"), over="length", values=[0, 0.5, 1, 1.5])`, about a minute.
# - Two opposite vectors have no arc between them: `import torch`, then
#   `spkit.SlerpPath().fold(torch.ones(2).double(), torch.tensor([[1.0, -1.0], [-1.0, 1.0]]).double())`.
