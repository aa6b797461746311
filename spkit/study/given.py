"""Models of one's own in a study: each takes the place of a training."""

from collections.abc import Iterator, Mapping, Sequence

from sentence_transformers import SentenceTransformer

from spkit.errors import SpkitError, quoted
from spkit.hashing import text_hash, weights_hash
from spkit.models.adapters import load_expert
from spkit.models.embedding import settings_of
from spkit.models.fits import check_fits
from spkit.models.kept_apart import check_kept_apart
from spkit.study.profile import Profile
from spkit.study.profile_tables import Given
from spkit.tasks import Task
from spkit.tasks.held_out import dev_notes


def check_given(given: Given, tasks: Mapping[str, Task]) -> None:
    """Raise where given models are not one for each task, or a task would be tested on what they were trained on.

    Args:
        given: of the profile.
        tasks: what the study is about.

    Raises:
        SpkitError: with the names.
    """
    if given.experts and set(given.experts) != set(tasks):
        raise SpkitError(
            "`experts` must name a model for each task of the study.",
            f"Found {quoted(given.experts)}, where the tasks are {quoted(tasks)}.",
            "Name each, or none: the study then trains them.",
        )
    check_kept_apart(given.sources.values(), tasks.values())


def notes_of_given(profile: Profile, tasks: Mapping[str, Task]) -> Sequence[str]:
    """What is to be said of the tasks that given models may have seen a part of."""
    return dev_notes(tasks.values()) if profile.given.sources else []


def hashes_of_given(profile: Profile, base: SentenceTransformer, base_hash: str) -> dict[str, str]:
    """A hash of each given model, by the method that it is: of its weights, and of how it reads texts.

    Raises:
        SpkitError: one cannot be loaded, or is no fine-tune of the base.
    """
    hashes = {}
    for method, model in _loaded(profile, base):
        check_fits(base, model, method, base_hash)
        hashes[method] = text_hash(weights_hash(model), settings_of(model))
    return hashes


def _loaded(profile: Profile, base: SentenceTransformer) -> Iterator[tuple[str, SentenceTransformer]]:
    for method, source in profile.given.sources.items():
        yield method, load_expert(source, base, method)
