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
# # Direction and length: two numbers instead of a method's name
#
# **Question.** A merge of two experts is a place in a plane. What decides how good it is: the direction, or how far one goes?
#
# **Guess first**: along which of the two do scores change more?

# %%
guess = "length"  # or "direction"

# %% [markdown]
# ## A place has a direction and a length
#
# Let p be a merge of two task vectors. Its **direction** x is the share that its angle to the first vector has of both angles. Its
# **length** is its distance from the base:
#
# $$x = \frac{\angle(p, V_1)}{\angle(p, V_1) + \angle(p, V_2)}, \qquad \|p\| = \|c_1 V_1 + c_2 V_2\| .$$
#
# Set both coefficients to 0.5, then to 1: what changes? Then take 0.9 and 0.1.

# %%
import numpy as np

import spkit
from spkit.drawing import Sheet
from spkit.widgets import Sliders

V = np.array([[2.0, 0.2], [0.5, 1.4]])  # a row a task vector


def angle(a, b):
    return np.degrees(np.arccos(a @ b / np.linalg.norm(a) / np.linalg.norm(b)))


def draw(c_1, c_2):
    p = c_1 * V[0] + c_2 * V[1]
    x = angle(p, V[0]) / (angle(p, V[0]) + angle(p, V[1]))  # direction
    sheet = Sheet(4.6, 2.8)
    panel = spkit.plot.arrows({"V1": V[0], "V2": V[1], "p": p}, sheet, ways={"_line": V})
    panel.set(xlim=(-0.4, 4), ylim=(-0.5, 2.6))
    first, second, length = (np.linalg.norm(one) for one in (*V, p))
    return (
        sheet,
        f"Direction {x:.2f} (0 is V1, 1 is V2). Length {length:.2f}; the experts have {first:.2f} and {second:.2f}.",
    )


Sliders(draw, c_1=(0.05, 1.5, 0.5), c_2=(0.05, 1.5, 0.5))

# %% [markdown]
# ## All of it from four numbers
#
# Lengths and angles of every merge follow from the inner products of the task vectors, the **Gram matrix** K:
#
# $$K_{ij} = \langle V_i, V_j\rangle, \qquad \|Vc\|^2 = \sum_{ij} c_i K_{ij} c_j = c^\top K c .$$

# %%
K = V @ V.T
c = np.array([0.5, 0.5])
print(f"length from the vectors {np.linalg.norm(c @ V):.3f}, from K {np.sqrt(c @ K @ c):.3f}")

# %% [markdown]
# So 17 million weights become a table of N × N numbers. The average of N vectors at right angles, each of length 1, has
# $\|p\|^2 = N \cdot (1/N)^2$: the length $1/\sqrt{N}$. It is short. (If no run has left task vectors, this cell trains the experts: about
# three minutes.)

# %%
results = spkit.open_results()
vectors = results.vectors()
K, N = vectors.gram().numpy(), len(vectors)
share = np.full(N, 1 / N)
average, experts = np.sqrt(share @ K @ share), np.sqrt(K.diagonal()).mean()
print(f"length of the average {average:.2f}, of the experts {experts:.2f} (mean)")
print(f"their ratio {average / experts:.2f}; at right angles it would be {N**-0.5:.2f}")

# %% [markdown]
# ## SLERP keeps the length: an arc between two real vectors
#
# The paper (arXiv 2410.15035) moves along the arc, then multiplies by a length λ:
#
# $$p = \lambda \cdot \left[\frac{\sin((1-t)\alpha)}{\sin\alpha} V_1 + \frac{\sin(t\alpha)}{\sin\alpha} V_2\right], \qquad
# t = \frac{a_2}{a_1 + a_2} .$$

# %%
import torch

from spkit.vectors.plane import Plane

pair, (first, second) = vectors.gram()[:2, :2], vectors.names[:2]
plane = Plane(pair, 0, 1)  # where places of these two vectors lie, at true lengths and angles


def slerp(a_1, a_2):  # the bracket above: two coefficients, from the Gram matrix
    return spkit.SlerpPath().fold(torch.tensor([a_1, a_2], dtype=torch.float64), pair).numpy()


def draw_real(a_1, a_2, length):
    c = length * slerp(a_1, a_2)
    tips = plane.at(np.array([[1, 0], [0, 1], c]))
    arc = plane.at(np.array([slerp(1 - t, t) for t in np.linspace(0.001, 0.999, 40)]))
    sheet = Sheet(5.5, 2.8)
    ways = {"arc, λ = 1": arc, "straight line": tips[:2]}
    spkit.plot.arrows(dict(zip([first, second, "merge"], tips)), sheet, ways=ways)
    return sheet, f"{c[0]:.2f} of {first} and {c[1]:.2f} of {second}; length {np.linalg.norm(tips[2]):.2f}."


Sliders(draw_real, a_1=(0.05, 2, 1), a_2=(0.05, 2, 1), length=(0.1, 2.5, 1))

# %% [markdown]
# Only the ratio of a₁ and a₂ matters: double both, and nothing moves.
#
# ## The direction, measured
#
# Each panel is a pair of tasks. At x = 0 all of the first expert, at x = 1 all of the second, at the length that the search found.

# %%
results.figure("sweep_direction")

# %% [markdown]
# ## The length, measured
#
# Move λ: which length is best for which task? λ = 0 is the base. The star is where the search ended.

# %%
from spkit.widgets import length_widget

length_widget(results["sweeps"])

# %%
results.figure("sweep_length")

# %% [markdown]
# ## The answer

# %%
from IPython.display import Markdown

from spkit.results.frames import main_scores

sweeps = main_scores(results["sweeps"]).fillna({"pair": ""})
sweeps = sweeps[~sweeps["marked"].astype(bool) & sweeps["task"].isin(vectors.names)]
means = sweeps.groupby(["over", "pair", "value"])["score"].mean().groupby(["over", "pair"]).agg(["min", "max"])
spread = (means["max"] - means["min"]).groupby("over").max()
more = "direction" if spread["direction"] > spread["length"] else "length"
said = (
    f"You guessed **{guess}**. The mean of the tasks changes by up to {spread['direction']:.1f} points along the direction "
    f"and by up to {spread['length']:.1f} along the length: here the **{more}** matters more, over the ranges shown."
)
Markdown(said + "\n\n" + results.words("along the length") + "\n" + results.words("(x = 0)"))

# %% [markdown]
# ## What to try
#
# - Four experts: the fold of `spkit.SlerpPath().fold(torch.ones(4).double(), vectors.gram())` depends on their order. Try
#   `vectors.select(vectors.names[::-1])`.
# - `spkit.merge(vectors.base, vectors, "slerp", common_norm=True)` scales all vectors to one length first. When would that help?
# - Measure a curve of your own (about a minute a value): `spkit.sweep(vectors, spkit.load_tasks("bundled"), "length", values=[0, 1, 1.5])`.
# - One expert alone is a length, too: how much of it keeps what the base knew? The doc of `spkit.sweep` has the recipe.
