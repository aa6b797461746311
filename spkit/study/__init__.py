"""Studies: a profile, its stages with records, and what they found in words."""

from spkit.study.profile import Profile
from spkit.study.profile_file import load_profile
from spkit.study.run import run_study, train_experts

__all__ = ["Profile", "load_profile", "run_study", "train_experts"]
