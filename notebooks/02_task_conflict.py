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
# # Task conflict: can you see it before you train?
#
# **Question.** Before you train on several tasks jointly: can you see whether they will disturb each other?
#
# **Guess first**: which two of the demo's tasks (headline, topic, similarity, chat) have gradients that point against each other?

# %%
guess = {"chat", "similarity"}

# %% [markdown]
# ## Two gradients
#
# A step against a task's gradient g lowers its loss. A joint step goes along the mean of all gradients. To first order it changes the loss
# of task A by
#
# $$\Delta L_A = -\eta\,\langle g_A, \tfrac{1}{2}(g_A + g_B)\rangle, \qquad \cos(g_A, g_B) = \frac{\langle g_A, g_B\rangle}{\|g_A\|\,\|g_B\|} .$$
#
# Turn the second gradient and make it longer. At which cosine does the joint step begin to hurt task A? Is it at 0?

# %%
import numpy as np

import spkit
from spkit.drawing import Sheet
from spkit.widgets import Sliders


def draw(angle, length):
    down_A = np.array([1.0, 0.0])  # minus the gradient of A
    down_B = length * np.array([np.cos(np.radians(angle)), np.sin(np.radians(angle))])
    joint = (down_A + down_B) / 2
    cosine = down_A @ down_B / np.linalg.norm(down_A) / np.linalg.norm(down_B)
    gained = {"A": down_A @ joint, "B": down_B @ joint}  # times the learning rate
    sheet = Sheet(6.75, 2.5)
    left, right = sheet.subplots(1, 2, width_ratios=(1.4, 1))
    spkit.plot.arrows({"A": down_A, "B": down_B, "joint step": joint}, left, base="")
    left.set(xlim=(-3.2, 3.2), ylim=(-0.4, 3.2))
    right.bar(list(gained), list(gained.values()), color=["C5" if value >= 0 else "C6" for value in gained.values()])
    right.axhline(0, color="0.5", linewidth=0.8)
    right.set(ylabel="loss taken away, to first order", ylim=(-1, 5))
    hurt = [task for task, value in gained.items() if value < 0]
    return (
        sheet,
        f"Cosine {cosine:+.2f}: the joint step {f'raises the loss of {hurt[0]}' if hurt else 'lowers both losses'}.",
    )


Sliders(draw, angle=(0, 180, 100, 1), length=(0.3, 3, 2))

# %% [markdown]
# A cosine below 0 is needed, and not enough: the longer gradient decides. So look at both.
#
# ## Noise hides the cosine
#
# A gradient comes from batches. Noise makes every cosine look nearer to 0. From M batches with gradients $g_b$ and their mean
# $\bar g$, spkit estimates the squared length without noise, and divides by that:
#
# $$s = \frac{\|\sum_b g_b\|^2 - \sum_b \|g_b\|^2}{M(M-1)}, \qquad \mathrm{corrected} = \frac{\langle\bar g_A, \bar g_B\rangle}{\sqrt{s_A\, s_B}} .$$
#
# Raise the noise. Which of the two estimates stays near the true cosine of −0.5? What do more batches change?


# %%
def squared_length(g):
    M = len(g)
    return (np.sum(g.sum(0) ** 2) - np.sum(g**2)) / (M * (M - 1))


def draw_noise(noise, batches):
    random, size = np.random.default_rng(0), 300
    true = np.zeros((2, size))
    true[0, 0], true[1, :2] = 1.0, [-0.5, 0.75**0.5]
    raw, corrected = [], []
    for _ in range(200):
        A, B = (one + noise / 10 * random.standard_normal((int(batches), size)) for one in true)
        dot = A.mean(0) @ B.mean(0)
        raw.append(dot / np.linalg.norm(A.mean(0)) / np.linalg.norm(B.mean(0)))
        s_A, s_B = squared_length(A), squared_length(B)
        corrected.append(dot / np.sqrt(s_A * s_B) if min(s_A, s_B) > 0 else np.nan)
    sheet = Sheet(6.75, 2.2)
    panel = sheet.subplots()
    bins = np.linspace(-1.5, 0.5, 60)
    panel.hist(raw, bins, color="0.7", label="raw")
    panel.hist(corrected, bins, color="C5", alpha=0.7, label="corrected")
    panel.axvline(-0.5, color="black")
    panel.set(xlabel="cosine (line: the true one)", ylabel="of 200 tries")
    panel.legend()
    return sheet, f"True −0.50; raw {np.mean(raw):.2f}, corrected {np.nanmean(corrected):.2f} on average."


Sliders(draw_noise, noise=(0.2, 3, 1.5), batches=(2, 32, 8, 1))

# %% [markdown]
# ## The demo's tasks, at the base

# %%
results = spkit.open_results()
results.figure("conflict")

# %% [markdown]
# The effect is another thing: what did each task lose when it was trained jointly?

# %%
results.figure("conflict_outcome")

# %% [markdown]
# ## Measure it yourself
#
# Two tasks, a few batches, half a minute. `low` and `high` bound the corrected cosine.

# %%
base = spkit.load_base("minilm-l3", max_seq_length=32)
tasks = spkit.load_tasks("bundled", names=["chat", "similarity"])
report = spkit.gradient_conflict(base, tasks, batches=8, batch_size=16)
report.pairs[["a", "b", "cosine", "corrected", "low", "high", "verdict"]].round(2)

# %% [markdown]
# ## Where, and when?
#
# Each row is a part of the encoder, from the embeddings up. Move through the steps of joint training: is the conflict in one place, and
# does it stay?

# %%
from spkit.widgets import conflict_widget

conflict_widget(results["conflict_along_training_by_module"])

# %% [markdown]
# ## Does it predict anything?
#
# Each point is a pair of tasks: its corrected cosine at the base, and what training both together gained or lost.

# %%
results.figure("pairs")

# %% [markdown]
# ## The answer

# %%
from IPython.display import Markdown

table = results["conflict"]
table = table[table["a"] != table["b"]]
lowest = table.groupby(["a", "b"])["corrected"].mean().sort_values()
right = "that is the pair" if guess == set(lowest.index[0]) else "the pair is another one"
said = (
    f"You guessed **{' and '.join(sorted(guess))}**: {right}. The lowest cosine is that of {' and '.join(lowest.index[0])}, {lowest.iloc[0]:+.2f}; "
    f"the highest that of {' and '.join(lowest.index[-1])}, {lowest.iloc[-1]:+.2f}."
)
Markdown(said + "\n\n" + results.words("in outcome") + "\n" + results.words("gradients predict"))

# %% [markdown]
# A negative cosine is a reason to look closer. By itself it is no forecast.
#
# ## What to try
#
# - Raise `batches` to 16: the interval shrinks, the raw cosine moves away from 0, the corrected one stays about the same.
# - One step on A, and what it does to B: `results.figure("affinity")`, or `spkit.task_affinity(base, tasks)`.
# - Along your own training: `spkit.ConflictCallback`. A gradient method that takes the conflict out: `spkit.train_with_surgery`.
# - How to read the map of the parts: the documentation's page *Read a conflict map*.
