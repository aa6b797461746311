"""Table 3: merging the experts of three clusters of data sets."""

from collections.abc import Sequence

from spkit.drawing.rule import Drawing
from spkit.figures.of_paper.base import Base
from spkit.figures.of_paper.by_clusters import draw_clusters
from spkit.figures.of_paper.figure import PaperFigure
from spkit.figures.of_paper.numbers import TABLE_3
from spkit.results.schema import CLUSTER_SCORES, CLUSTERS

_COUNT = 3


def draw(bases: Sequence[Base]) -> Drawing:
    """The scores for this number of clusters."""
    return draw_clusters(bases, _COUNT)


FIGURE = PaperFigure(
    order=110,
    title="Experts of three clusters of data sets",
    says="Over MTEB's 56 tasks Self Positioning has "
    f"{TABLE_3[_COUNT]['self_position']:g}, TIES {TABLE_3[_COUNT]['ties']:g}, Fisher {TABLE_3[_COUNT]['fisher']:g} and "
    f"RegMean {TABLE_3[_COUNT]['regmean']:g} points.",
    draw=draw,
    needs=(CLUSTER_SCORES,),
    uses=(CLUSTERS,),
)
