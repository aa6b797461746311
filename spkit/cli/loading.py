"""Options of every command that names a base: how it is loaded, and all other models that the command loads."""

from collections.abc import Callable
from functools import wraps
from inspect import Parameter, signature
from typing import Annotated, Any

import typer

from spkit.cli.checks import usage
from spkit.cli.help import LOADING
from spkit.models.loading import Loading, NumberType, loading_by_default

#: Type and option of each; the defaults are those of `Loading`.
_OPTIONS: dict[str, tuple[Any, Any]] = {
    "dtype": (
        NumberType,
        typer.Option(
            metavar="<type>",
            rich_help_panel=LOADING,
            help="Numbers in memory: float32, bfloat16, float16, or auto, the checkpoint's type.",
        ),
    ),
    "device": (
        str | None,
        typer.Option(rich_help_panel=LOADING, help="Torch device, as cpu or cuda:1. Default: the best."),
    ),
    "trust_remote_code": (
        bool,
        typer.Option(
            "--trust-remote-code",
            rich_help_panel=LOADING,
            help="Run code that comes with the models: read it first.",
        ),
    ),
    "revision": (
        str | None,
        typer.Option(rich_help_panel=LOADING, help="Branch, tag or commit of a base from the hub."),
    ),
    "attention": (
        str | None,
        typer.Option(
            rich_help_panel=LOADING,
            help="Attention: eager, sdpa or flash_attention_2.",
        ),
    ),
}


def loads_a_base(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that say how its base is loaded."""
    return _loading(command, list(_OPTIONS))


def loads_models(command: Callable[..., None]) -> Callable[..., None]:
    """The same for a command that loads several models, or task vectors: none of them is the one with a revision."""
    return _loading(command, ["device", "trust_remote_code"])


def may_load_otherwise(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the same options in place of what a profile says: those that are set, as its `loading`."""

    @wraps(command)
    def run(**given: Any) -> None:
        chosen = {name: given.pop(name) for name in _OPTIONS}
        command(**given, loading={name: value for name, value in chosen.items() if value is not None})

    return _shown(run, command, {name: (kind | None, option) for name, (kind, option) in _OPTIONS.items()}, {})


def _loading(command: Callable[..., None], names: list[str]) -> Callable[..., None]:
    @wraps(command)
    def run(**given: Any) -> None:
        with usage():
            how = Loading(**{name: given.pop(name) for name in names})
        with loading_by_default(how):
            command(**given)

    return _shown(run, command, {name: _OPTIONS[name] for name in names}, vars(Loading()))


def _shown(
    run: Callable[..., None],
    command: Callable[..., None],
    options: dict[str, tuple[Any, Any]],
    defaults: dict[str, Any],
) -> Callable[..., None]:
    """The function with the command's parameters and more options, as typer reads them off its signature."""
    own = [one for one in signature(command).parameters.values() if one.name != "loading"]
    added = {name: Annotated[kind, option] for name, (kind, option) in options.items()}
    more = [
        Parameter(name, Parameter.KEYWORD_ONLY, default=defaults.get(name), annotation=kind)
        for name, kind in added.items()
    ]
    run.__signature__ = signature(command).replace(parameters=[*own, *more])  # pyright: ignore[reportFunctionMemberAccess]
    run.__annotations__ = {**{one.name: one.annotation for one in own}, **added}
    return run
