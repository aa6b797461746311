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
# # Self Positioning: let gradient descent find the place
#
# **Question.** Can a few hundred examples and a few dozen steps find a better merge than every fixed rule?
#
# **Guess first**: by how many points is the searched merge ahead of the best rule, on the mean of the trained tasks?

# %%
guess = 1.0

# %% [markdown]
# ## The gradient of a coefficient is an inner product
#
# Let the model have three weights and two task vectors. The search minimises the loss of the merge over the coefficients alone:
#
# $$\min_c\; L(\theta_0 + \sum_i c_i V_i) + \mu\,\lambda, \qquad \frac{\partial L}{\partial c_i} = \langle \nabla_\theta L,\; V_i\rangle .$$
#
# One backward pass gives $\nabla_\theta L$, three numbers here and millions in a real model. Its projections on the task vectors are all
# that is needed. The next cell checks that against small steps of the coefficients.

# %%
import numpy as np

import spkit
from spkit.drawing import Sheet
from spkit.widgets import Sliders

V = np.array([[2.0, 0.3, 0.4], [0.4, 1.6, -0.5]])  # a row a task vector
care = np.array([[1.0, 0.15, 0.3], [0.15, 1.0, 0.3]])  # of each task, for each weight


def loss(theta):
    return float(np.mean([care[task] @ (theta - V[task]) ** 2 for task in (0, 1)]))


def gradient(theta):  # of the loss, for each weight: what a backward pass gives
    return np.mean([2 * care[task] * (theta - V[task]) for task in (0, 1)], axis=0)


c, small = np.array([0.5, 0.5]), 1e-6
projected = V @ gradient(c @ V)  # the formula above
steps = [(loss((c + small * one) @ V) - loss(c @ V)) / small for one in np.eye(2)]
print("gradient of the weights:", gradient(c @ V).round(3))
print("projected on V1 and V2: ", projected.round(3), "  by small steps of c:", np.round(steps, 3))

# %% [markdown]
# ## Gradient descent on two numbers
#
# Each step goes down the projected gradient. λ is the sum of the coefficients here, and μ holds it back. Make the learning rate too large;
# then raise μ. What happens to the place where the search ends?


# %%
def descend(learning_rate, mu, steps, c=(0.1, 0.6)):
    way = [np.array(c)]
    for _ in range(int(steps)):
        way.append(way[-1] - learning_rate * (V @ gradient(way[-1] @ V) + mu))
    return np.array(way)


grid = np.linspace(-0.2, 1.4, 40)
height = np.array([[loss(np.array([c_1, c_2]) @ V) for c_1 in grid] for c_2 in grid])


def draw(learning_rate, mu, steps):
    way = descend(learning_rate, mu, steps)
    sheet = Sheet(4.6, 3.2)
    panel = sheet.subplots()
    panel.contour(grid, grid, height, levels=14, cmap="viridis_r", linewidths=0.8)
    panel.plot(*way.T, "-o", color="black", markersize=3)
    panel.plot(*way[-1], "*", color="C5", markersize=13)
    panel.set(
        xlabel="coefficient of V1", ylabel="coefficient of V2", xlim=(-0.2, 1.4), ylim=(-0.2, 1.4), aspect="equal"
    )
    before, after = loss(way[0] @ V), loss(way[-1] @ V)
    return (
        sheet,
        f"After {int(steps)} steps: {way[-1][0]:.2f} of V1 and {way[-1][1]:.2f} of V2; loss {before:.3f} to {after:.3f}.",
    )


Sliders(draw, learning_rate=(0.02, 0.6, 0.15), mu=(0, 1, 0), steps=(1, 40, 15, 1))

# %% [markdown]
# ## The same on the demo's experts
#
# The **probe** is a small sample of the training examples. Here 256 of them, 20 steps. (If no run has left task vectors, the next cell
# trains the experts first, about three minutes. The search takes half a minute.)

# %%
results = spkit.open_results()
vectors = results.vectors()
tasks = spkit.load_tasks("bundled", names=list(vectors.names))
probe = spkit.Probe.sample(tasks, size=256)
by_loss = spkit.self_position(vectors, probe, optimizer="adam", learning_rate=0.1, steps=20, batch_size=16)
by_loss.coefficients.round(2)

# %% [markdown]
# A low loss need not be a good score: CoSENT, the loss of *similarity*, falls when embeddings spread out, while ranks stay. So a search
# may also go by the **score** itself, without gradients. CMA-ES tries places and keeps those with the best score on dev examples. Twenty
# tries are few, and each reads the whole sample.

# %%
held_out = spkit.Probe.sample(tasks, size=256, split="dev")
by_score = spkit.search(vectors, held_out, "cma", by="score", budget=20)
by_score.coefficients.round(2)

# %% [markdown]
# ## Score what was searched
#
# Both places and the average, on test examples that no search has seen. *difference* is a minus b, in points.

# %%
average = vectors.at(dict.fromkeys(vectors.names, 1 / len(vectors)))
models = {"by loss": by_loss.model(), "by score": by_score.model(), "average": average}
compared = spkit.compare(models, tasks)
compared.loc[compared["task"] == "mean", ["a", "b", "difference", "low", "high", "verdict"]].round(1)

# %% [markdown]
# ## The study's search, step by step
#
# The study takes more steps. Left the coefficients, right the losses of the tasks.

# %%
from spkit.widgets import search_widget

search_widget(results["history"])

# %% [markdown]
# ## One coefficient a module
#
# A merge may take another share of each vector in every part of every layer. The gradient is the same inner product, part by part. More
# freedom, and more risk to fit the probe too well.

# %%
results.figure("coefficients")

# %% [markdown]
# ## How strongly should μ hold the length back?

# %%
results.figure("sweep_mu")

# %% [markdown]
# ## The answer

# %%
from IPython.display import Markdown

from spkit.evaluation.comparison import in_words

said = f"You guessed **{guess:+.1f}** points. The study measured:"
here = "The two short searches of this notebook: " + " ".join(in_words(compared))
Markdown("\n\n".join([said, results.words("best static merge"), here]))

# %% [markdown]
# ## What to try
#
# - `spkit.uncertainty(by_loss, probe).coefficients`: how far would another probe of this size have moved each coefficient? (A minute.)
# - Search by module: `granularity="module", path="free"`. By score from the best rule: `start="best_rule"`.
# - More may be merged than experts: joint models, checkpoints (`spkit.train(..., keep=[0.5, 1.0])`), a trainer's whole folder
#   (`spkit.TaskVectors.from_runs(base, "runs/trainer-output")`).
# - Weigh one task more: `spkit.trade_off(...)`; the study's is `results.figure("trade_off")`.
