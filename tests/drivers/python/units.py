"""Spans and instants, which the package says in seconds and the scenarios in milliseconds."""

import json

from manyhands import Backoff

SECONDS = {"at", "put_at", "due_at", "lease_until", "run", "mean", "deviation", "p50", "p99", "due_in", "lease_left"}
SECONDS |= {"ago", "estimated_wait", "silent", "expires", "interval", "next_at", "next_due", "timeout"}
SPANS = {"heartbeat", "grace-period", "jobs-history", "stats-history", "max-worker-age"}


def in_ms(value):
    """A reply in the package's units as the scenarios write it."""
    if isinstance(value, dict):
        return dict(member_in_ms(name, member) for name, member in value.items())
    return [in_ms(item) for item in value] if isinstance(value, list) else value


def member_in_ms(name, value):
    if name in ("data", "result"):  # the user's: their members are not ours to convert
        return name, value
    if name == "histogram":
        return name, [[upper * 1000, count] for upper, count in value]
    if name == "run_timeout":  # `timeout` is what one does to a job
        name = "timeout"
    if name == "backoff":
        return "backoff_ms", value and json.loads(value.to_json())
    if name in SECONDS and not isinstance(value, dict):
        return f"{name}_ms", None if value is None else value * 1000
    return name, in_ms(value)


def in_seconds(fields):
    """An operation's arguments as a method's."""
    spans = {name[:-3]: over_1000(fields[name]) for name in fields if name.endswith("_ms")}
    return {name: value for name, value in fields.items() if not name.endswith("_ms")} | spans


def over_1000(value):
    if isinstance(value, list):
        return [over_1000(span) for span in value]
    if isinstance(value, dict):
        return backoff(**value)
    return value / 1000 if isinstance(value, (int, float)) else value


def backoff(*, first=None, most=None, **others):
    """What the scenarios write as an object."""
    if "list" in others:
        return Backoff.list(over_1000(others.pop("list")), **others)
    spans = {name: over_1000(span) for name, span in (("first", first), ("most", most)) if span is not None}
    return Backoff.exponential(**spans, **others)


def described(thing, names):
    return in_ms({name: getattr(thing, name) for name in names})
