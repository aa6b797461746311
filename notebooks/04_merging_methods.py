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
# # Merging methods: what each rule does to two vectors
#
# **Question.** There are many rules to merge experts. What does each of them do, and which one should you start with?
#
# **Guess first.** Which rule scores best on the trained tasks: one that adds, one that keeps the length, one that drops entries, or
# one that reads data?

# %%
guess = "ties"  # or "average", "task_arithmetic", "slerp", "dare", "lines", "fisher", "regmean", ...

# %% [markdown]
# ## Rules that weigh: average, task arithmetic, SLERP
#
# Two task vectors in a plane, at an angle α. All three rules weigh them; they differ in how far they go:
#
# $$\mathrm{average:}\; \tfrac{1}{2}(V_1 + V_2), \qquad \mathrm{task\ arithmetic:}\; \lambda\,(V_1 + V_2),$$
#
# $$\mathrm{SLERP:}\; \frac{\sin((1-t)\,\alpha)}{\sin\alpha}\,V_1 + \frac{\sin(t\,\alpha)}{\sin\alpha}\,V_2 .$$
#
# Make the angle larger. What happens to the length of the average, and what to that of SLERP?

# %%
import numpy as np

import spkit
from spkit.drawing import Sheet
from spkit.widgets import Sliders


def slerp(V1, V2, t):
    alpha = np.arccos(V1 @ V2 / np.linalg.norm(V1) / np.linalg.norm(V2))
    return (np.sin((1 - t) * alpha) * V1 + np.sin(t * alpha) * V2) / np.sin(alpha)


def draw(angle, t, weight):
    V1, V2 = np.array([2.0, 0.0]), 2.0 * np.array([np.cos(np.radians(angle)), np.sin(np.radians(angle))])
    steps = np.linspace(0, 1, 40)
    places = {"average": (V1 + V2) / 2, "task arithmetic": weight * (V1 + V2), "SLERP": slerp(V1, V2, t)}
    arc = [slerp(V1, V2, one) for one in steps]
    sheet = Sheet(6.0, 2.7)
    spkit.plot.arrows({"V1": V1, "V2": V2}, sheet, places=places, ways={"arc": arc, "line": [V1, V2]})
    lengths = [f"{name} {np.linalg.norm(place):.2f}" for name, place in places.items()]
    return sheet, f"Lengths: {', '.join(lengths)}; each expert 2.00."


Sliders(draw, angle=(5, 175, 80, 1), t=(0, 1, 0.5), weight=(0, 1, 0.7))

# %% [markdown]
# At a right angle the average keeps $1/\sqrt{2} = 71\,\%$ of the length, and with N such vectors $1/\sqrt{N}$. Real task vectors are
# close to right angles:

# %%
results = spkit.open_results()
vectors = results.vectors()
vectors.cosines().round(2).assign(length=vectors.norms().round(2))

# %% [markdown]
# ## A rule that drops: TIES, on ten numbers
#
# **Trim** keeps the largest entries of each vector. **Elect** takes for each entry the sign of the sum. **Mean** averages the entries that
# have this sign:
#
# $$\hat V_i = \mathrm{trim}_k(V_i), \qquad s_p = \mathrm{sign}\sum_i \hat V_{ip}, \qquad
# m_p = \mathrm{mean}\{\hat V_{ip} : \mathrm{sign}\,\hat V_{ip} = s_p\} .$$
#
# Lower the density. Which entries are left, and where do the two vectors disagree?

# %%
import torch

from spkit.vectors import sparsify

toy = torch.tensor(
    [[2.0, -1.2, 0.3, 0.1, -0.2, 1.5, -0.4, 0.9, 0.1, -1.8], [1.1, 1.6, -0.2, 0.4, -0.3, 1.9, 0.2, -1.0, 0.1, 0.3]]
)


def ties(V, density):
    kept = max(1, int(density * V.shape[1]))
    threshold = V.abs().sort(dim=1, descending=True).values[:, kept - 1 : kept]
    trimmed = torch.where(V.abs() >= threshold, V, 0.0)  # trim
    sign = trimmed.sum(0).sign()  # elect
    agree = (trimmed.sign() == sign) & (sign != 0)
    return trimmed, (trimmed * agree).sum(0) / agree.sum(0).clamp(min=1)  # mean of those that agree


def draw(density):
    trimmed, merged = ties(toy, density)
    sheet = Sheet(6.75, 2.8)
    panels = sheet.subplots(3, 1, sharex=True, sharey=True)
    given = zip(panels, [*toy, merged], [*trimmed, merged], ["V1", "V2", "merged"], ["C5", "C1", "black"])
    for panel, faint, bars, name, colour in given:
        panel.bar(range(1, 11), faint, color="0.85", width=0.75)
        panel.bar(range(1, 11), bars, color=colour, width=0.55)
        panel.axhline(0, color="0.6", linewidth=0.6)
        panel.set_ylabel(name)
    panels[-1].set(xlabel="entry", xticks=range(1, 11))
    against = int(((trimmed[0] * trimmed[1]) < 0).sum())
    first, second = (trimmed.norm(dim=1) / toy.norm(dim=1)).tolist()
    return (
        sheet,
        f"{int(density * 10)} of 10 entries stay, with {first:.0%} and {second:.0%} of the lengths. In {against} of them the vectors disagree.",
    )


Sliders(draw, density=(0.1, 1, 0.5, 0.1))

# %% [markdown]
# The library does the same to millions of entries: these ten come out alike. The second slider shows what is left of the real vectors.

# %%
whole = sparsify.trim(toy, 0.5, [slice(0, 10)])
assert torch.allclose(sparsify.elect(whole).sum(0), ties(toy, 0.5)[1])

from spkit.widgets import ties_widget

ties_widget(vectors, densities=(0.1, 0.2, 0.5))

# %% [markdown]
# ## All rules, one call
#
# Each rule is the same call, and gives an ordinary sentence-transformers model that carries its recipe. Some read examples (`tasks=`).

# %%
from IPython.display import Markdown

from spkit.merging import method_table
from spkit.results import to_markdown

merged = spkit.merge(vectors.base, vectors, "ties", density=0.2)
Markdown(to_markdown(method_table()[["what it does", "reads data"]]))

# %% [markdown]
# ## Which one scores best?

# %%
results.figure("methods")

# %% [markdown]
# ## The answer

# %%
from spkit.results.frames import main_scores
from spkit.results.labels import family, method_label

means = main_scores(results["scores"]).pivot_table(index="method", columns="task", values="score")
rules = means[[family(name) == "merge" for name in means.index]]
best, of_unseen = rules["mean"].idxmax(), rules["unseen mean"].idxmax()
near = rules["mean"] > rules["mean"].max() - 1
place = int(rules["mean"].rank(ascending=False)[guess])
Markdown(
    f"You guessed **{method_label(guess)}**: {rules.loc[guess, 'mean']:.1f} points on the trained tasks, place {place} of {len(rules)}. First is **{method_label(best)}** with "
    f"{rules.loc[best, 'mean']:.1f}; {int(near.sum())} rules lie within one point of it. On unseen tasks the first is "
    f"{method_label(of_unseen)} ({rules.loc[of_unseen, 'unseen mean']:.1f}), on which {method_label(best)} has {rules.loc[best, 'unseen mean']:.1f}. "
    "So start with a simple rule, and compare it with one that reads data."
)

# %% [markdown]
# ## What to try
#
# - Is your rule better than the average? `spkit.compare({"ties": merged, "average": spkit.merge(vectors.base, vectors, "average")},
#   spkit.load_tasks("bundled"))` says so with intervals (about a minute).
# - `spkit.merge(vectors.base, vectors, "mergekit:karcher")`: mergekit's methods, by pass-through; `spkit.merge_methods()` lists them.
# - Every rule at once, picked on dev examples and tested once: `spkit.best(...)` ([notebook 10](10_your_own_models_and_data.ipynb)).
# - In the picture of TIES, give both vectors the same signs. What is left for the election to do?
