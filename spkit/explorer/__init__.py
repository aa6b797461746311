"""The explorer: where in the space between models are you, and what is that place worth?"""

from spkit.explorer.opening import explore, explore_study

__all__ = ["explore", "explore_study"]
