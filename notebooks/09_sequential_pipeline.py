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
# **Question.** Experts may also be trained one after the other, each from the last. Does merging along that way help?
#
# **Guess first**: which pipeline gives the better best merge?

# %%
guess = "sequential"  # or "separate"

# %% [markdown]
# ## Vectors along a way
#
# *Separate*: every expert starts at the base. *Sequential*: the second starts where the first ended, so that its task vector holds the
# first one's. With D for what the second training changed:
#
# $$V_{1\to 2} = V_1 + D, \qquad \cos(V_1, V_{1\to2}) = \frac{\|V_1\|^2 + \langle V_1, D\rangle}{\|V_1\|\,\|V_1 + D\|},
# \qquad \tfrac{1}{2}(V_1 + V_{1\to2}) = V_1 + \tfrac{1}{2}D .$$
#
# Turn D, and make it longer. Where does the average of the two stand? When has the second training undone the first?

# %%
import numpy as np

import spkit
from spkit.drawing import Sheet
from spkit.widgets import Sliders


def draw(angle_of_D, length_of_D):
    V_1 = np.array([1.5, 0.0])
    D = length_of_D * np.array([np.cos(np.radians(angle_of_D)), np.sin(np.radians(angle_of_D))])
    last = V_1 + D
    cosine = V_1 @ last / np.linalg.norm(V_1) / max(np.linalg.norm(last), 1e-9)
    sheet = Sheet(5.5, 2.6)
    panel = spkit.plot.arrows(
        {"V1": V_1, "V1→2": last}, sheet, ways={"D": [V_1, last]}, places={"average": (V_1 + last) / 2}
    )
    panel.set(xlim=(-1.0, 3.6), ylim=(-0.4, 2.2))
    kept = last @ V_1 / (V_1 @ V_1)
    return sheet, f"Cosine of V1 and V1→2: {cosine:.2f}. Of the first training {kept:.0%} is left along V1."


Sliders(draw, angle_of_D=(0, 180, 100, 1), length_of_D=(0.1, 2, 1.2))

# %% [markdown]
# ## Two short trainings
#
# First *similarity*, then *chat*. `keep` also gives a model from half way: a **checkpoint**, which is one more vector. (Half a minute.)

# %%
tasks = spkit.load_tasks("bundled", names=["similarity", "chat"])
base = spkit.load_base("minilm-l3", max_seq_length=32)
first = spkit.train(base, tasks["similarity"], steps=16)
second = spkit.train(first, tasks["chat"], steps=16, keep=[0.5, 1.0])
models = {"similarity": first, "half of chat": second[0.5], "then chat": second[1.0]}
vectors = spkit.TaskVectors.from_models(base, models)
vectors.cosines().round(2)

# %% [markdown]
# Did the second training cost the first task anything? The same test examples, before and after. (Fifteen seconds.)

# %%
compared = spkit.compare({"then chat": second[1.0], "similarity": first}, tasks)
compared.loc[compared["task"] != "mean", ["task", "difference", "low", "high", "verdict"]].round(1)

# %% [markdown]
# ## Between first and last
#
# The slider goes along the arc between the first and the second vector. They stand nearer to each other than two experts do, so that arc
# and line differ little.

# %%
from spkit.widgets import arc_widget

arc_widget(vectors)

# %% [markdown]
# ## Both pipelines, measured

# %%
results = spkit.open_results()
results.figure("pipelines")

# %%
from spkit.results.labels import method_label

pipelines = results["pipelines"]
means = pipelines[pipelines["task"] == "mean"].pivot_table(index="method", columns="pipeline", values="score")
means.rename(index=method_label).round(1)

# %% [markdown]
# ## The answer

# %%
from IPython.display import Markdown

best = means.max()
said = (
    f"You guessed **{guess}**. The best merge of models trained separately has {best['separate']:.1f} points on the mean, that of the sequence "
    f"{best['sequential']:.1f} (the best methods are picked on the test scores): **{best.idxmax()}** is ahead here. "
    f"The last model of the sequence, without a merge, has {means['sequential'].get('last', float('nan')):.1f}."
)
Markdown(said + "\n\n" + results.words("two pipelines"))

# %% [markdown]
# ## What to try
#
# - Swap the order of the tasks: which one is forgotten?
# - A training of your own that left a folder of checkpoints: `spkit.TaskVectors.from_runs(base, "runs/trainer-output")`, then a search
#   over them ([notebook 6](06_self_positioning.ipynb)).
# - The sequence in one call: `models = {}`, then
#   `spkit.train(base, list(tasks.values()), order="sequential", steps=16, after_each=models.__setitem__)`.
