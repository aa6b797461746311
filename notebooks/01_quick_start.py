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
# # Quick start: one model for several tasks
#
# **Question.** You have one base model and several tasks. Do you train one model on all tasks jointly, or one expert a task, and merge
# the experts?
#
# **Guess first**, in the next cell. The last section compares your guess with what was measured.

# %%
guess = "merging"  # or "joint training"

# %% [markdown]
# ## A model is a point
#
# Training moves the weights θ of a model. Take a model with two weights, so that it can be drawn. The base stands at 0. Training on
# task A moved it to one place, training on task B to another. The arrow from the base to an expert is its **task vector**; a **merge**
# is the base plus a weighted sum of the arrows:
#
# $$V_i = \theta_i - \theta_0, \qquad \theta(c) = \theta_0 + \sum_i c_i V_i .$$
#
# Each task has a loss, lowest at its expert. Here task A cares most about the first weight, task B about the second. Move the two
# coefficients: where is the mean of both losses lowest? (The average has 0.5 and 0.5.)

# %%
import numpy as np

import spkit
from spkit.drawing import Sheet
from spkit.widgets import Sliders

V = {"A": np.array([2.0, 0.3]), "B": np.array([0.4, 1.6])}  # expert minus base
care = {"A": np.array([1.0, 0.15]), "B": np.array([0.15, 1.0])}


def losses(theta):
    return {task: float(care[task] @ (theta - V[task]) ** 2) for task in V}


def draw(c_A, c_B):
    theta = c_A * V["A"] + c_B * V["B"]  # the formula above
    places = {"base": 0 * theta, "expert A": V["A"], "expert B": V["B"], "your merge": theta}
    sheet = Sheet(6.75, 2.5)
    left, right = sheet.subplots(1, 2, width_ratios=(1.1, 1))
    sides = {"_A": [c_A * V["A"], theta], "_B": [c_B * V["B"], theta]}
    spkit.plot.arrows({**V, "your merge": theta}, left, ways=sides)
    means = {name: np.mean(list(losses(place).values())) for name, place in places.items()}
    right.barh(list(means)[::-1], list(means.values())[::-1], color=["black", "0.7", "0.7", "0.7"])
    right.set(xlabel="mean of both losses", xlim=(0, 3.5))
    on_A, on_B = losses(theta).values()
    expert = min(means["expert A"], means["expert B"])
    return (
        sheet,
        f"Loss {on_A:.2f} on A, {on_B:.2f} on B; their mean is {means['your merge']:.2f}, of the better expert {expert:.2f}.",
    )


Sliders(draw, c_A=(0, 1.5, 0.5), c_B=(0, 1.5, 0.5))

# %% [markdown]
# Near 0.75 and 0.75 the mean is lowest: far beyond the average, because each expert moved mostly where the other task does not care.
# Whether real models are like that is to be measured.
#
# ## The same with 17 million weights
#
# `open_results()` finds what a study left: your own runs if you ran `make demo`, else the results that come with the project. The
# demo's tasks: *headline*, find an article by its headline; *topic*, sort headlines into topics; *similarity*, human similarity of
# words and documents; *chat*, find the reply. (If no run has left task vectors, this cell trains the four experts: about three
# minutes.)

# %%
results = spkit.open_results()
vectors = results.vectors()
texts = ["a sharp rise in profit", "earnings grew strongly"]
for c in (0.0, 0.5, 1.0):
    model = vectors.at(dict.fromkeys(vectors.names, c))  # an ordinary SentenceTransformer
    similarity = float(model.similarity(*model.encode(texts)))
    print(f"{c:.1f} of each of {len(vectors)} vectors: the two texts have similarity {similarity:.2f}")

# %% [markdown]
# ## What was measured
#
# Points from 0 to 100 on test examples. *mean* is over the four trained tasks, *unseen mean* over tasks that nobody trained on.

# %%
from spkit.results.frames import main_scores
from spkit.results.labels import method_label

scores = main_scores(results["scores"]).pivot_table(index="method", columns="task", values="score")
shown = ["base", "joint", "average", "slerp", "ties", "self_position", "self_position:module"]
scores.loc[shown, [*vectors.names, "mean", "unseen mean"]].rename(index=method_label).round(1)

# %% [markdown]
# The first four merges use **fixed rules** ([notebook 4](04_merging_methods.ipynb)). *Self Positioning* **searches** the coefficients
# on a few hundred examples, *by module* one set for each part of each layer ([notebook 6](06_self_positioning.ipynb)). All methods, with
# their 95 % intervals:

# %%
results.figure("methods")

# %% [markdown]
# ## Which task counts how much?
#
# The mean weighs all tasks alike. You may not. Move the weight of one task: does another method come first?

# %%
from spkit.widgets import ranking_widget

ranking_widget(results["scores"])

# %% [markdown]
# ## How sure is a difference?
#
# Two models are compared on the same resampled test examples, so that hard examples are hard for both. An interval that contains 0
# means: these data do not show which one is better.

# %%
results.figure("differences")

# %% [markdown]
# ## The answer

# %%
from IPython.display import Markdown

from spkit.results.labels import family

merges = scores[[family(name) in ("merge", "tuned", "searched") for name in scores.index]]
best = merges["mean"].idxmax()
ahead = "joint training" if scores.loc["joint", "mean"] > scores.loc[best, "mean"] else "merging"
Markdown(
    f"You guessed **{guess}**. On the trained tasks **{ahead}** is ahead: joint training has {scores.loc['joint', 'mean']:.1f} "
    f"points, the best merge ({method_label(best)}) {scores.loc[best, 'mean']:.1f}, the base {scores.loc['base', 'mean']:.1f}; "
    f"on unseen tasks {scores.loc['joint', 'unseen mean']:.1f}, {scores.loc[best, 'unseen mean']:.1f} and "
    f"{scores.loc['base', 'unseen mean']:.1f}. What the study says, with intervals:\n\n" + results.words("verdict")
)

# %% [markdown]
# Joint training needs all data in one place, at one time. A merge needs only the experts.
#
# ## What to try
#
# - The whole job for models of your own is one command, with a verdict and a page: `spkit best --base B --model faq=... --model sts=...
#   --tasks my_tasks.toml -o runs/best`, or `spkit.best(...)` in Python ([notebook 10](10_your_own_models_and_data.ipynb)).
# - Is one model better than another? `spkit.compare({"half": vectors.at([0.5] * 4), "base": vectors.base}, spkit.load_tasks("bundled"))`
#   gives each difference with its interval (about a minute).
# - Give task A and task B the same care, `[1.0, 1.0]`, in the first picture. Now no place is good for both: a conflict. That is
#   [notebook 2](02_task_conflict.ipynb).
