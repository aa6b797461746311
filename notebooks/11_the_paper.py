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
# # The paper, figure by figure: redraw it, and change what it was drawn from
#
# **Question.** Li et al. (arXiv 2410.15035) merge an STS expert and a retrieval expert of one base. Which of their findings do we see, too?
#
# **Guess first**: of the paper's figures that we can draw, how many show the same?

# %%
guess = 3

# %% [markdown]
# Each figure is drawn from the finished study that has most of it: a replication of the paper if there is one, else the studies on the
# bundled data, which are far smaller. *Same*, *other* and *open* follow a fixed rule, which `spkit figures --study paper` prints beside
# each figure. Where no study has the tables, this notebook measures a small version.

# %%
import numpy as np
import pandas as pd
from IPython.display import Markdown

import spkit
from spkit.drawing import Sheet
from spkit.drawing.rule import NothingToDrawError
from spkit.drawing.style import style
from spkit.widgets import Sliders

results = spkit.open_results()
outcomes = {}


def paper(name):
    try:
        shown = results.paper_figure(name)
    except NothingToDrawError as missing:
        outcomes[name] = "not drawn"
        return Markdown(f"*{name.replace('_', ' ').capitalize()}: no study has it yet. {missing}*")
    outcomes[name] = shown.caption.split()[1].strip(".")
    return shown


paper("figure_1")

# %% [markdown]
# **Figure 1** in our numbers. Conflict is a cosine of two gradients below 0, imbalance is uneven data:
#
# $$\cos(g_i, g_j) = \frac{\langle g_i, g_j\rangle}{\|g_i\|\,\|g_j\|}, \qquad V_i = \theta_i - \theta_0 .$$
#
# ## Figures 2 and 9: what joint training does
#
# (a) joint training against the better expert; (b) a line through lengths; (d) a hyperbola through ratios of angles, where α is the
# angle of the joint vector to each single one:
#
# $$\|V\| = s\,n + b, \qquad \frac{\alpha_{i+j,\,i}}{\alpha_{i+j,\,j}} = \frac{a}{N_i/N_j + b} + c .$$

# %%
for name in ("figure_2", "figure_9"):
    display(paper(name))

# %% [markdown]
# **Change it.** Left, the line, fitted to training sets up to a size that you choose. Right, move the three numbers of the hyperbola; the
# paper's are 0.596, 0.497 and 0.578.

# %%
from spkit.diagnostics.hyperbola_fit import angle_ratios

norms = results["norms"].query("schedule == 'epochs'")
ratios = angle_ratios(results["angles"])
sizes = sorted(norms["examples"].unique())


def r_squared(y, fitted):
    return 1 - ((y - fitted) ** 2).sum() / ((y - y.mean()) ** 2).sum()


def draw(largest, a, b, c):
    used = norms[norms["examples"] <= max(largest, sizes[1])]
    slope, start = np.polyfit(used["examples"], used["norm"], 1)
    x, y = ratios["size_ratio"], ratios["angle_ratio"]
    sheet = Sheet(6.75, 2.6)
    left, right = sheet.subplots(1, 2)
    left.plot(norms["examples"], norms["norm"], "o", color="0.8")
    left.plot(used["examples"], used["norm"], "o", color="C5")
    ends = np.array([0, max(sizes)])
    left.plot(ends, slope * ends + start, color="C5")
    left.set(xlabel="training examples", ylabel="length of the task vector", ylim=(0, None))
    right.plot(x, y, "o", color="C5")
    line = np.linspace(x.min(), x.max(), 80)
    right.plot(line, a / (line + b) + c, color="black")
    right.set(xlabel="size of i / size of j", ylabel="angle to i / angle to j", ylim=(0, 1.2 * y.max()))
    of_line, of_curve = r_squared(used["norm"], slope * used["examples"] + start), r_squared(y, a / (x + b) + c)
    return (
        sheet,
        f"Line: {slope:.2g} a training example, R² {of_line:.2f} of {len(used)} models. Hyperbola: R² {of_curve:.2f}.",
    )


Sliders(draw, largest=(sizes[1], sizes[-1], sizes[-1]), a=(0, 2, 0.596), b=(0.01, 1, 0.497), c=(0, 1, 0.578))

# %% [markdown]
# ## Figures 3 to 6: the plane of two vectors

# %%
for name in ("figure_3", "figure_4", "figure_5", "figure_6"):
    display(paper(name))

# %% [markdown]
# A small version: the demo's *similarity* (STS) and *headline* (retrieval) experts, on 64 dev examples. Each place has a loss and a score
# for each task; there are no intervals, so read shapes, not decimals. (About a minute on two free cores.)

# %%
import torch

from spkit.searching.objective import Objective
from spkit.searching.scores import ProbeScores
from spkit.vectors.plane import Plane

sts, retrieval = "similarity", "headline"
pair = results.vectors().select([sts, retrieval])
tasks = spkit.load_tasks("bundled", names=[sts, retrieval])
probe = spkit.Probe.sample(tasks, size=64, split="dev")
objective, scores = Objective(pair, probe, 16), ProbeScores(pair, probe)
plane = Plane(pair.gram(), 0, 1, symmetric=True)

line = np.linspace(-0.25, 1.35, 5) * np.linalg.norm(plane.ends, axis=0).mean()
grid = pd.DataFrame([(x, y) for y in line for x in line], columns=["x", "y"])
places = torch.tensor(plane.coefficients(grid.to_numpy()))
grid = grid.join(pd.DataFrame([objective.task_losses(place[None]) for place in places]))


def slerp(a_1, a_2):
    return spkit.SlerpPath().fold(torch.tensor([a_1, a_2], dtype=torch.float64), pair.gram()).numpy()


rules = {"average": lambda t: np.array([1 - t, t]), "slerp": lambda t: slerp(1 - t, t)}
rows = []
for method, rule in rules.items():
    for value in (0.001, 0.3, 0.5, 0.7, 0.999):
        c = rule(value)
        found = scores.at(c.tolist())
        rows.append({"method": method, "value": value, "x": found[sts], "y": found[retrieval], "c": c})
chains = pd.DataFrame(rows).assign(curve=lambda t: t["method"], score=lambda t: (t["x"] + t["y"]) / 2)
chains["direction"] = [plane.direction(c[None])[0] for c in chains["c"]]

# %% [markdown]
# **Figure 3**: a chain of points a rule, one score against the other. **Figure 4**: their mean along the direction.

# %%
from IPython.display import Image

from spkit.drawing.render import png

with style():
    sheet = Sheet(6.75, 2.6)
    left, right = sheet.subplots(1, 2)
    spkit.plot.chains(chains, left, axes_labels=(f"{sts}, points", f"{retrieval}, points"))
    spkit.plot.directions(chains, right, axes_labels=(f"direction (0: {sts}, 1: {retrieval})", "mean, points"))
    for panel in (left, right):
        panel.legend()
    picture = Image(png(sheet), width=700)
picture

# %% [markdown]
# **Figure 5**: the loss on the plane. **Change it**: how much does STS count in the loss, and how strongly does μ hold the length back? The
# star is the lowest place of
#
# $$w\,L_{\mathrm{STS}}(p) + (1 - w)\,L_{\mathrm{retrieval}}(p) + \mu\,\lambda(p) .$$

# %%
from scipy.interpolate import RectBivariateSpline

fine = np.linspace(line[0], line[-1], 33)
measured = {task: grid[task].to_numpy().reshape(5, 5) for task in (sts, retrieval)}
surfaces = {task: RectBivariateSpline(line, line, losses)(fine, fine) for task, losses in measured.items()}
x, y = np.meshgrid(fine, fine)
length = np.hypot(x, y) / np.linalg.norm(plane.ends, axis=0).mean()
marked = [("base", "base", [0, 0]), (f"expert:{sts}", "expert", [1, 0]), (f"expert:{retrieval}", "expert", [0, 1])]
marked += [(row.method, row.method, row.c) for row in chains.itertuples()]
points = pd.DataFrame(plane.at(np.array([c for *_, c in marked])), columns=["x", "y"])
points = points.assign(point=[one[0] for one in marked], group=[one[1] for one in marked])


def draw(STS_counts, mu):
    value = STS_counts * surfaces[sts] + (1 - STS_counts) * surfaces[retrieval] + mu * length
    table = pd.DataFrame({"x": x.ravel(), "y": y.ravel(), "loss": value.ravel()})
    sheet = Sheet()
    panel = spkit.plot.plane(table, sheet, points=points, label="loss + μλ")
    panel.legend(loc="upper left", bbox_to_anchor=(-0.1, -0.14), ncols=3)
    low = np.unravel_index(value.argmin(), value.shape)
    c = plane.coefficients(np.array([[x[low], y[low]]]))
    place = f"{c[0, 0]:.2f} of {sts} and {c[0, 1]:.2f} of {retrieval}"
    return sheet, f"Lowest at {place}: direction {plane.direction(c)[0]:.2f}, λ {length[low]:.2f}."


Sliders(draw, STS_counts=(0, 1, 0.5), mu=(0, 0.6, 0))

# %% [markdown]
# **Figure 6**: search as the paper does, then look around the place. `path="raw"` has the paper's own numbers, all 1 at the start.

# %%
settings = {"optimizer": "adam", "learning_rate": 0.05, "steps": 16, "batch_size": 16}
searched = spkit.self_position(pair, spkit.Probe.sample(tasks, size=128), path="raw", **settings)
star = searched.coefficients.to_numpy()


def looked_at(c):  # where it is, and what it scores
    score = np.mean(list(scores.at(c.tolist()).values()))
    return {"direction": plane.direction(c[None])[0], "length": size(c), "score": score, "marked": c is star}


def size(c):  # in lengths of an expert
    return np.linalg.norm(plane.at(c[None])) / np.linalg.norm(plane.ends, axis=0).mean()


turned = [slerp(1 - t, t) for t in (0.1, 0.35, 0.7)]
turned = [c * size(star) / size(c) for c in turned]
series = {"direction": [*turned, star], "length": [0.5 * star, 1.4 * star, star]}
with style():
    sheet = Sheet(6.75, 2.4)
    for panel, (over, given) in zip(sheet.subplots(1, 2, sharey=True), series.items()):
        table = pd.DataFrame([looked_at(c) for c in given]).assign(curve="mean")
        spkit.plot.directions(table, panel, x=over, axes_labels=(over, "mean, points"))
    display(Image(png(sheet), width=700))
at = table.iloc[-1]
Markdown(
    f"The star: direction {at.direction:.2f}, length {at.length:.2f}. The paper's: 0.45 to 0.80, and 1.03 to 1.17."
)

# %% [markdown]
# ## Figures 7 and 8: the weight μ of the length, and resampling
#
# Go back to the plane and raise μ: the length falls. The paper says that the direction hardly turns. Does it, here? What resampling costs
# is the subject of notebook 08.

# %%
for name in ("figure_7", "figure_8"):
    display(paper(name))

# %% [markdown]
# ## The tables, and the claims in words
#
# The paper picks every rule, and μ, by the test scores, and gives one seed without intervals.

# %%
from spkit.results import to_markdown

for number in range(1, 6):
    display(paper(f"table_{number}"))
claims = results["against_the_paper"].groupby("claim", sort=False).first()
Markdown(to_markdown(claims[["measured", "outcome"]]))

# %% [markdown]
# ## The answer

# %%
drawn = {name: word for name, word in outcomes.items() if word != "not drawn"}
counts = ", ".join(f"{list(drawn.values()).count(word)} {word}" for word in ("same", "other", "open"))
same = [name.replace("_", " ") for name, word in drawn.items() if word == "same"]
left_out = [name.replace("_", " ") for name in outcomes if name not in drawn]
Markdown(
    f"You guessed **{guess}**. Of {len(outcomes)} figures and tables {len(drawn)} come from finished studies: **{counts}** "
    f"(same: {', '.join(same) or 'none'}). No study has the tables of {', '.join(left_out) or 'none'}; what stands above for them is small."
)

# %% [markdown]
# ## What to try
#
# - Take other experts for the plane: `retrieval = "chat"`.
# - `make paper DATA=...` replicates the paper on your data, in hours; this notebook then draws its figures. `data/README.md` says which
#   files.
# - Give the grid ten places a side: does the star move?
