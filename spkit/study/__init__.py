"""Studies: a profile, its stages with their records, and the results in words."""

from typing import TYPE_CHECKING

from spkit._lazy import loaded_on_use

__all__ = ["Profile", "load_profile", "run_study", "train_experts"]

if TYPE_CHECKING:
    from spkit.study.profile import Profile
    from spkit.study.profile_file import load_profile
    from spkit.study.run import run_study, train_experts

__getattr__ = loaded_on_use(
    __name__, {"Profile": "profile", "load_profile": "profile_file", "run_study": "run", "train_experts": "run"}
)
