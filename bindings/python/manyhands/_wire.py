"""What crosses into the core: spans as integer milliseconds, values as JSON text; and the way back."""

from __future__ import annotations

import json
import operator
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from manyhands import _native
from manyhands.errors import InvalidArgument

_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode
"""`json.dumps` would make such an encoder for each call."""


class _Unchanged:
    """The default of `data` where it may stay as it is: None is data too."""

    def __repr__(self) -> str:
        return "<unchanged>"

    def __reduce__(self) -> str:
        return "UNCHANGED"  # what a copy or an unpickled object holds must be this very one


UNCHANGED: Any = _Unchanged()


def milliseconds(
    span: float | timedelta,
    argument: str,
    operation: str | None,
    *,
    least: int = 0,
    most: int = _native.MAX_SPAN_MS,
) -> int:
    """A span in seconds (number or timedelta) as whole milliseconds; InvalidArgument names `argument`.

    The core would refuse a span out of range as well, but by its own name for it, in milliseconds.
    """
    seconds = span.total_seconds() if isinstance(span, timedelta) else span
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)):
        message = f"{argument} must be seconds as a number or timedelta, not {type(span).__name__}"
        raise InvalidArgument(message, operation=operation)
    try:
        rounded = round(seconds * 1000)
    except (OverflowError, ValueError):  # infinite, or not a number
        rounded = -1
    if seconds < 0 or not least <= rounded <= most:
        said = repr(seconds) if abs(rounded) < 10**100 else "so many"  # Python refuses to print very long numbers
        message = f"{argument} must be {least / 1000:g} to {most // 1000} seconds, not {said}"
        raise InvalidArgument(message, operation=operation)
    return rounded


def text(value: str, argument: str, operation: str | None) -> str:
    """A text that UTF-8 can say; InvalidArgument names `argument`."""
    if not isinstance(value, str):
        raise InvalidArgument(f"{argument} must be a text, not {type(value).__name__}", operation=operation)
    json_text(value, argument, operation)
    return value


def integer(value: int, argument: str, operation: str | None) -> int:
    """A number that the native module can take; InvalidArgument names `argument`."""
    try:
        number = operator.index(value)
    except TypeError:
        message = f"{argument} must be a whole number, not {type(value).__name__}"
        raise InvalidArgument(message, operation=operation) from None
    if number.bit_length() > 63:
        raise InvalidArgument(f"{argument} is outside of what 64 bits can say", operation=operation)
    return number


def texts(value: Iterable[str], argument: str, operation: str | None) -> list[str]:
    """A list of texts from anything that gives them; one text alone is refused: its letters are not meant."""
    if isinstance(value, (str, bytes)) or not isinstance(value, Iterable):
        message = f"{argument} must be a list of texts, not {type(value).__name__}"
        raise InvalidArgument(message, operation=operation)
    return list(value)


def given(options: Mapping[str, Any]) -> dict[str, Any]:
    """Those options that are not None."""
    return {name: value for name, value in options.items() if value is not None}


@contextmanager
def renamed(**names: str) -> Iterator[None]:
    """An InvalidArgument that comes out of here calls the argument as the caller knows it: core's name = ours."""
    try:
        yield
    except InvalidArgument as error:
        theirs, _, rest = error.message.partition(" ")
        if ours := names.get(theirs.partition("[")[0]):
            error.message = f"{ours} {rest}"
            error.args = (error.message,)
        raise


def refuse_unknown(options: Mapping[str, object], operation: str | None) -> None:
    """InvalidArgument naming the first of options that a call does not have; the plain TypeError would have no code."""
    for name in options:
        raise InvalidArgument(f"{name} is not an option here", operation=operation)


def json_text(value: Any, argument: str, operation: str | None) -> str:
    """`value` as compact JSON text in UTF-8; InvalidArgument names `argument` when JSON cannot say it."""
    try:
        text = _encode(value)
        text.encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidArgument(f"{argument} is not JSON: {error}", operation=operation) from None
    return text


def object_text(members: Mapping[str, Any], operation: str | None, within: str = "") -> str:
    """A JSON object; InvalidArgument names the member that JSON cannot say, after what it is `within` (`jobs[3].`)."""
    try:
        return json_text(members, "arguments", operation)
    except InvalidArgument:  # which of them it is
        pass
    for name, value in members.items():
        json_text(value, f"{within}{name}", operation)
    return json_text(members, f"{within}arguments", operation)


def view_fields(text: str) -> dict[str, Any]:
    """A job's or recurring job's view: its members as Python values, but `data` and `backoff_ms` as their JSON text."""
    members = _native.members(text)
    texts = {name: members.pop(name) for name in ("data", "backoff_ms")}
    return {**texts, **{name: json.loads(member) for name, member in members.items()}}


def in_seconds(value: Any) -> Any:
    """A reply of the core in Python's units: each `name_ms` becomes `name`, in seconds, at any depth."""
    if isinstance(value, dict):
        return dict(_member_in_seconds(name, member) for name, member in value.items())
    if isinstance(value, list):
        return [in_seconds(member) for member in value]
    return value


def _member_in_seconds(name: str, member: Any) -> tuple[str, Any]:
    if not name.endswith("_ms"):
        return name, in_seconds(member)
    return name[: -len("_ms")], None if member is None else member / 1000
