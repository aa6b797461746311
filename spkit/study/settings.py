"""The tables of a profile as pydantic models: types, ranges and defaults once, and errors that say what to write."""

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, Strict, ValidationError

from spkit.errors import SpkitError, quoted
from spkit.signatures import LARGEST_SEED, default_of, nearest


def _different(values: tuple[Any, ...]) -> tuple[Any, ...]:
    """Refuse what is given twice: a stage would be made twice, or not at all."""
    twice = [value for number, value in enumerate(values) if value in values[:number]]
    if twice:
        raise SpkitError("Each must be given once.", f"Found {twice[0]!r} twice.", "Leave one out.")
    return values


#: Types that take no text or truth value for a number. A whole number is a number, too. No count reaches a billion.
Whole = Annotated[int, Strict(), Field(le=1_000_000_000)]
Number = Annotated[float, Strict()]
Truth = Annotated[bool, Strict()]
#: What the generators of Python, NumPy and torch all take.
Seed = Annotated[int, Strict(), Field(ge=0, le=LARGEST_SEED)]
#: For a list none of whose entries stands in it twice.
Different = AfterValidator(_different)


class Settings(BaseModel):
    """A table of a profile. A key that the model does not know is refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @classmethod
    def known_keys(cls) -> list[str]:
        """The keys that the table may have."""
        return list(cls.model_fields)

    def arguments(self) -> dict[str, Any]:
        """What is set, as keyword arguments; what is None is left to the function."""
        return {name: value for name, value in self if value is not None}


def as_in(function: str, parameter: str, **limits: Any) -> Any:
    """A field whose default is that of a function's parameter, so that it stands once.

    Args:
        function: where it is defined, as `"spkit.training.trainer:train"`; nothing is imported for it.
        parameter: its name.
        limits: of the values, as pydantic's `Field` takes them (`gt`, `ge`, `le`).
    """
    return Field(default_factory=partial(default_of, function, parameter), **limits)


def problems(model: type[Settings], error: ValidationError, place: str = "", more: Iterable[str] = ()) -> list[str]:
    """What is wrong with a table, a sentence each: the rule, what was received, what to write.

    Args:
        model: the table's.
        error: what pydantic says of it.
        place: the table's own key in the profile; empty for the profile itself.
        more: keys beside the model's that the table may have.
    """
    by_key: dict[str, tuple[list[str], Any, str]] = {}
    said: list[str] = []
    seen: set[str] = set()
    for one in error.errors():
        inner, path = _place(model, one["loc"], one["type"])
        key = ".".join(part for part in (place, path) if part)
        seen.add(key)
        limits = one.get("ctx", {})
        if one["type"] == "value_error":
            where = f"[{key}]: " if key and _is_table(inner, path) else f"`{key}`: " if key else ""
            said.append(f"{where}{limits['error']}")
        elif one["type"] == "extra_forbidden":
            known = [*inner.known_keys(), *(more if inner is model else ())]
            said.append(unknown_key(key, known))
        elif one["type"] == "missing":
            said.append(f"`{key}` must be given.{_example(inner, path)}")
        else:
            rules, _, _ = by_key.setdefault(key, ([], one["input"], _example(inner, path)))
            rules.append(_rule(one["type"], limits, one["msg"]))
    for key, (rules, received, example) in by_key.items():
        if any(other.startswith((f"{key}[", f"{key}.")) for other in seen):
            continue  # what is wrong inside it is said already
        said.append(f"`{key}` must be {' or '.join(dict.fromkeys(rules))}. Found {received!r}.{example}")
    return said


def unknown_key(key: str, known: Iterable[str]) -> str:
    """That a key is not known, with the nearest one that is.

    Example:
        >>> unknown_key("search.stepz", ["path", "steps"])
        "A profile may have only known keys. Found `search.stepz`. Did you mean 'steps'?"
    """
    table, _, name = key.rpartition(".")
    known = sorted(known)
    where = f"[{table}]" if table else "A profile"
    way_out = nearest(name, known, f"{where} may have {quoted(known)}.")
    return f"A profile may have only known keys. Found `{key}`. {way_out}"


def refuse(said: Iterable[str], where: str) -> None:
    """Raise what is wrong with a profile, all at once.

    Args:
        said: a sentence a problem; with none nothing is raised. What is said twice is raised once.
        where: the profile's file.

    Raises:
        SpkitError: there is a problem.
    """
    said = list(dict.fromkeys(said))
    if len(said) == 1:
        raise SpkitError(said[0], f"(In {where}.)")
    if said:
        raise SpkitError(f"{len(said)} things are wrong with {where}:", "\n- ".join(["", *said]))


def _place(model: type[Settings], loc: tuple[int | str, ...], kind: str) -> tuple[type[Settings], str]:
    """The model that a problem is in, and its key below the table: pydantic names the branches of unions, too."""
    path = ""
    for part in loc:
        if isinstance(part, int):
            path += f"[{part}]"
        elif part in model.model_fields:
            path += f".{part}" if path else part
            inner = model.model_fields[part].annotation
            if isinstance(inner, type) and issubclass(inner, Settings) and part != loc[-1]:
                model = inner
        elif kind == "extra_forbidden" and part == loc[-1]:
            path += f".{part}" if path else part
    return model, path


def _is_table(model: type[Settings], path: str) -> bool:
    """Whether a path below a table is that of a table: the table itself, or one inside."""
    field = model.model_fields.get(path.rpartition(".")[2])
    annotation = None if field is None else field.annotation
    return not path or (isinstance(annotation, type) and issubclass(annotation, Settings))


def _example(model: type[Settings], path: str) -> str:
    field = model.model_fields.get(path.rpartition(".")[2].partition("[")[0])
    return f" Write {field.examples[0]}." if field is not None and field.examples else ""


_KINDS: Mapping[str, str] = {
    "int_type": "a whole number",
    "float_type": "a number",
    "string_type": "a text",
    "bool_type": "true or false",
    "tuple_type": "a list",
    "dict_type": "a table",
    "model_type": "a table",
    "finite_number": "a finite number",
}


def _rule(kind: str, limits: Mapping[str, Any], message: str) -> str:
    """What a value must be."""
    if kind in _KINDS:
        return _KINDS[kind]
    if kind == "greater_than":
        return f"above {limits['gt']:g}"
    if kind == "greater_than_equal":
        return f"{limits['ge']:g} or more"
    if kind == "less_than_equal":
        return f"at most {limits['le']:,}"
    if kind == "literal_error":
        return f"one of {limits['expected']}"
    if kind == "string_too_short":
        return "a text that is not empty"
    if kind == "too_short":
        return f"a list of {limits['min_length']} or more"
    if kind == "too_long":
        return f"a list of at most {limits['max_length']}"
    return f"of another kind ({message})"
