"""What crosses into the core: spans as integer milliseconds, values as JSON text; and the way back."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta
from typing import Any

from manyhands.errors import InvalidArgument


def milliseconds(span: float | timedelta, argument: str) -> int:
    """A span in seconds (number or timedelta) as whole milliseconds; InvalidArgument names `argument`."""
    seconds = span.total_seconds() if isinstance(span, timedelta) else span
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)):
        raise InvalidArgument(f"{argument} must be seconds as a number or timedelta, not {type(span).__name__}")
    if not math.isfinite(seconds) or seconds < 0:
        raise InvalidArgument(f"{argument} must be 0 or more seconds, not {seconds!r}")
    return round(seconds * 1000)


def refuse_unknown(options: Mapping[str, object]) -> None:
    """InvalidArgument naming the first of options that a call does not have; the plain TypeError would have no code."""
    for name in options:
        raise InvalidArgument(f"{name} is not an option here")


def json_text(value: Any, argument: str) -> str:
    """`value` as compact JSON text in UTF-8; InvalidArgument names `argument` when JSON cannot say it."""
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        text.encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidArgument(f"{argument} is not JSON: {error}") from None
    return text


def object_text(members: Mapping[str, Any]) -> str:
    """A JSON object; InvalidArgument names the member that JSON cannot say."""
    with suppress(InvalidArgument):
        return json_text(members, "arguments")
    return json_text({name: _checked(value, str(name)) for name, value in members.items()}, "arguments")


def _checked(value: Any, argument: str) -> Any:
    json_text(value, argument)
    return value


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
