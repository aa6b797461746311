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
# **Question.** What lies between the experts? Go there, and look.
#
# **Guess first**: which mean score, in points, has the best place that you can find?

# %%
guess = 65.0

# %% [markdown]
# ## Interpolated and measured
#
# To measure a place takes a second. While a slider moves, the explorer shows what it *expects*, from places that it measured once. With
# scores y at places $c_1 \ldots c_m$ and a similarity k of places it expects
#
# $$\hat f(c) = k(c)^\top (K + \sigma^2 I)^{-1}\, y, \qquad K_{ab} = k(c_a, c_b) = e^{-\|c_a - c_b\|^2 / 2\ell^2} .$$
#
# Here the truth is a curve that you can see. How many measured places are needed? What happens where none is near?

# %%
import numpy as np

import spkit
from spkit.drawing import Sheet
from spkit.widgets import Sliders


def truth(c):
    return 50 + 18 * np.exp(-((c - 0.8) ** 2) / 0.3) - 4 * np.sin(5 * c)


def k(a, b, reach):
    return np.exp(-((a[:, None] - b[None]) ** 2) / (2 * reach**2))


def draw(places, reach):
    measured, line = np.linspace(0, 1.6, int(places)), np.linspace(0, 2, 200)
    y = truth(measured)
    K = k(measured, measured, reach) + 1e-4 * np.eye(len(measured))
    expected = y.mean() + k(line, measured, reach) @ np.linalg.solve(K, y - y.mean())  # the formula above
    sheet = Sheet(6.0, 2.5)
    panel = sheet.subplots()
    panel.plot(line, truth(line), color="0.75", linewidth=3, label="truth")
    panel.plot(line, expected, color="C5", label="expected")
    panel.plot(measured, y, "o", color="black", label="measured")
    panel.set(xlabel="coefficient", ylabel="score, points", ylim=(40, 78))
    panel.legend()
    error = np.abs(expected - truth(line))[line <= 1.6].max()
    return sheet, f"{int(places)} measured places: between 0 and 1.6 the largest error is {error:.1f} points."


Sliders(draw, places=(3, 12, 5, 1), reach=(0.05, 1, 0.3))

# %% [markdown]
# ## The explorer
#
# Each slider is a task vector. While you drag, scores are *interpolated*; when you stop, the place is *measured* on a few dev examples of
# each task. On the map two of the vectors have true lengths and angles. The first time, this cell measures its places: a minute or two on
# two cores, and they are kept. (If no run has left task vectors, it trains the experts before, about three minutes.)

# %%
results = spkit.open_results()
explorer = spkit.explore_study(results.run())
explorer

# %% [markdown]
# - **Weights and length** is the paper's path: only ratios of the weights matter, λ is how far you go. **Free** moves the coefficients
#   themselves.
# - **Unseen tasks** are for looking only. Who chooses a place by them has trained on them.
#
# ## The answer

# %%
from IPython.display import Markdown

Markdown(f"You guessed **{guess:.1f}**. Where the explorer stands now: {explorer.words()}")

# %% [markdown]
# If a place between two experts has a better mean than both, a merge beats either of them. If the score only falls on the way, the two
# tasks are a trade-off. The explorer's scores rest on few examples, and you looked at many places: check the one that you like best on all
# of dev, `spkit.evaluate(explorer.model(), spkit.load_tasks("bundled"), split="dev")`.
#
# ## What to try
#
# - Start at an expert, and bring in a second one: which task loses first?
# - Find a place with a better mean than the search's, and run the answer again.
# - *Save model* writes a folder; *copy as code* gives the lines that rebuild the place.
