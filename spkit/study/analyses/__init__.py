"""The analyses that a profile may turn on, by the name of their table."""

from spkit.study.analyses.affinity import AFFINITY
from spkit.study.analyses.along_training import ALONG_TRAINING
from spkit.study.analyses.analysis import Analysis
from spkit.study.analyses.imbalance import IMBALANCE
from spkit.study.analyses.ladders import ANGLE_LADDER, NORM_LADDER
from spkit.study.analyses.pairs import PAIRS
from spkit.study.analyses.resampling import RESAMPLING
from spkit.study.analyses.sequential import SEQUENTIAL
from spkit.study.analyses.sweeps import SWEEPS
from spkit.study.analyses.trade_off import TRADE_OFF

#: In the order in which they run.
ANALYSES: dict[str, Analysis] = {
    one.name: one
    for one in (
        SEQUENTIAL,
        ALONG_TRAINING,
        AFFINITY,
        PAIRS,
        IMBALANCE,
        NORM_LADDER,
        ANGLE_LADDER,
        RESAMPLING,
        SWEEPS,
        TRADE_OFF,
    )
}

__all__ = ["ANALYSES", "Analysis"]
