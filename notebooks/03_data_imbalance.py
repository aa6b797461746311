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
# # Data imbalance: whose model do you get?
#
# **Question.** One task has several times the examples of another. Whose model does joint training give you?
#
# **Guess first**: four times the examples, the same number of epochs. How many times as long is the task vector?

# %%
guess = 2.0

# %% [markdown]
# ## A joint vector leans to the larger set
#
# Simplest picture: the joint vector is the mean of the single ones, weighted by the shares s of the examples. How far it stands from each
# is an angle:
#
# $$V_{i+j} = s\,V_i + (1 - s)\,V_j, \qquad \alpha_i = \angle(V_{i+j}, V_i) .$$
#
# Move the share, then make the two vectors unequal. When is the joint vector in the middle?

# %%
import numpy as np

import spkit
from spkit.drawing import Sheet
from spkit.widgets import Sliders


def angle(a, b):
    return np.degrees(np.arccos(a @ b / np.linalg.norm(a) / np.linalg.norm(b)))


def draw(share, length_of_j):
    V_i, V_j = np.array([1.0, 0.1]), length_of_j * np.array([0.2, 1.0])
    joint = share * V_i + (1 - share) * V_j
    sheet = Sheet(4.6, 2.6)
    panel = spkit.plot.arrows({"i": V_i, "j": V_j, "joint": joint}, sheet)
    panel.set(xlim=(-0.3, 1.4), ylim=(-0.3, 2.2))
    return (
        sheet,
        f"{share:.0%} of the examples are of i. Angles: {angle(joint, V_i):.0f}° to i, {angle(joint, V_j):.0f}° to j.",
    )


Sliders(draw, share=(0.05, 0.95, 0.5), length_of_j=(0.5, 2, 1))

# %% [markdown]
# ## Steps that agree, and steps that do not
#
# A task vector is a sum of n steps. Let each step have a part m that all steps share, and a random part of size r:
#
# $$\mathbb{E}\,\|V\|^2 \approx n^2 m^2 + n\, r^2 .$$
#
# Steps that agree give a length that grows like n; random ones like $\sqrt{n}$. Move m.


# %%
def draw_walk(shared_part):
    n, random = np.array([8, 16, 32, 64, 128, 256]), np.random.default_rng(0)
    steps = random.standard_normal((256, 200)) / 200**0.5 + shared_part * np.eye(200)[0]
    length = np.linalg.norm(steps.cumsum(0)[n - 1], axis=1)
    slope = np.polyfit(np.log(n), np.log(length), 1)[0]
    sheet = Sheet(4.6, 2.4)
    panel = sheet.subplots()
    panel.loglog(n, length, "o", color="C5", label="sum of steps")
    panel.loglog(n, np.sqrt(n**2 * shared_part**2 + n), color="black", label="formula")
    panel.set(xlabel="steps n", ylabel="length")
    panel.legend()
    return (
        sheet,
        f"The length grows like n to the power of {slope:.2f}: four times the steps, {4**slope:.1f} times the length.",
    )


Sliders(draw_walk, shared_part=(0, 0.5, 0.05))

# %% [markdown]
# ## Measured: more examples, longer vectors
#
# At fixed *epochs* more examples are more steps, too. At fixed *steps* they are not. Only both together show whether it is the data or the
# number of updates.

# %%
results = spkit.open_results()
results.figure("norms")

# %%
fits = results["norms_fit"].query("scale == 'log' and group == 'all groups'")
fits[["schedule", "slope", "low", "high", "r_squared", "n"]].round(2)

# %% [markdown]
# ## Measured: where the joint vector points
#
# The slider moves the mixture. Left the shares, in the middle the angles, right the lengths.

# %%
from spkit.widgets import mixture_widget

mixture_widget(results["angles"])

# %%
results.figure("angles")

# %% [markdown]
# ## What counts as large?
#
# Examples, tokens, steps, and the length of the gradient need not agree.

# %%
tasks = spkit.load_tasks("bundled")
shares = spkit.imbalance(tasks, model=spkit.load_base("minilm-l3", max_seq_length=32))
shares[["examples", "example_share", "token_share", "step_share"]].round(2)

# %%
results.figure("imbalance")

# %% [markdown]
# The joint model's vector as a weighted sum of the experts' vectors, as well as that can be done: what each task weighs in it.

# %%
results.figure("effective_weights")

# %% [markdown]
# ## The answer

# %%
from IPython.display import Markdown

slope = float(fits.loc[fits["schedule"] == "epochs", "slope"].iloc[0])
said = (
    f"You guessed **{guess:.1f} times**. At fixed epochs the length grows like n to the power of {slope:.2f}: four times the examples give "
    f"**{4**slope:.1f} times** the length."
)
Markdown(said + "\n\n" + results.words("norm of a task vector") + "\n" + results.words("joint vector turns"))

# %% [markdown]
# ## What to try
#
# - Sample evenly and measure the angles again (a minute): `base = spkit.load_base("minilm-l3", max_seq_length=32)`, then
#   `spkit.angles_by_ratio(base, tasks["headline"], tasks["similarity"], [(3, 1), (1, 3)], total=384, epochs=1, sampling="uniform")`.
# - Does merging suffer, too? A long vector weighs more in an average: `results.vectors().norms()`. SLERP with `common_norm=True` does not.
# - Many sets of different sizes: `spkit.cluster_tasks` puts like with like.
