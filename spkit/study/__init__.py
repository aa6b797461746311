"""Studies: a profile, its stages with records, and what they found in words."""

from typing import TYPE_CHECKING

from spkit._lazy import loaded_on_use

__all__ = ["Profile", "Results", "Shown", "load_profile", "open_results", "run_study", "train_experts"]

__getattr__ = loaded_on_use(
    __name__,
    {
        "Profile": "profile",
        "Results": "reading",
        "Shown": "reading",
        "load_profile": "profile_file",
        "open_results": "reading",
        "run_study": "run",
        "train_experts": "run",
    },
)

if TYPE_CHECKING:
    from spkit.study.profile import Profile as Profile
    from spkit.study.profile_file import load_profile as load_profile
    from spkit.study.reading import Results as Results
    from spkit.study.reading import Shown as Shown
    from spkit.study.reading import open_results as open_results
    from spkit.study.run import run_study as run_study
    from spkit.study.run import train_experts as train_experts
