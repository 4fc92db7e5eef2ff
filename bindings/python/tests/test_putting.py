"""Middleware and hooks around put."""

from __future__ import annotations

import pytest

from manyhands import Client, InvalidArgument, JobExists, Next, Placed, Put, WrongState


def test_middleware_changes_what_is_put(client: Client) -> None:
    seen: list[str] = []

    @client.use
    def outer(puts: list[Put], next: Next[list[Placed]]) -> list[Placed]:
        seen.append(f"outer {[put.kind for put in puts]}")
        for put in puts:
            put.options.setdefault("tags", []).append("traced")
        placed = next()
        seen.append(f"outer {[one.outcome for one in placed]}")
        return placed

    @client.use
    def inner(puts: list[Put], next: Next[list[Placed]]) -> list[Placed]:
        seen.append(f"inner {[put.options.get('delay') for put in puts]}")
        puts[0].queue, puts[0].data = "other", {"by": "inner"}
        return next()

    placed = client.queue("q").put("a", {"n": 1}, delay=0)
    client.queue("q").put_many([{"kind": "b", "jid": "b"}, {"kind": "c", "tags": ["own"]}])
    client.queue("q").put_recurring("r", interval=60)
    one, two = ["outer ['a']", "inner [0]", "outer ['put']"], ["outer ['b', 'c']", "inner [None, None]"]
    assert seen == [*one, *two, "outer ['put', 'put']"]
    first, second = client.queue("other").reserve(5)
    assert (first.jid, first.data, first.tags, second.jid) == (placed.jid, {"by": "inner"}, ["traced"], "b")
    third, recurring = client.queue("q").reserve(5)
    assert (third.tags, recurring.kind, recurring.tags) == (["own", "traced"], "r", [])


def test_middleware_may_put_nothing(client: Client) -> None:
    client.use(lambda puts, _next: [Placed("none", "kept") for _ in puts])
    assert client.queue("q").put("k") == Placed("none", "kept")
    assert client.queue("q").length() == 0


def test_middleware_that_does_not_answer(client: Client) -> None:
    client.use(lambda _puts, _next: None)  # type: ignore[type-var]
    with pytest.raises(WrongState, match="what became of each of the 2 jobs") as caught:
        client.queue("q").put_many([{"kind": "k"}] * 2)
    assert caught.value.operation == "queue_put"


def test_what_a_put_raises_goes_outward(client: Client) -> None:
    seen: list[str] = []

    @client.use
    def around(_puts: list[Put], next: Next[list[Placed]]) -> list[Placed]:
        try:
            return next()
        except (JobExists, InvalidArgument) as error:
            seen.append(error.name)
            raise

    client.queue("q").put("k", jid="a")
    with pytest.raises(JobExists):
        client.queue("q").put("k", jid="a", on_conflict="reject")
    with pytest.raises(InvalidArgument, match=r"jobs\[1\].priority 128"):
        client.queue("q").put_many([{"kind": "k"}, {"kind": "k", "priority": 128}])
    assert seen == ["JOB_EXISTS", "INVALID_ARGUMENT"]


def test_next_is_called_once(client: Client) -> None:
    @client.use
    def twice(_puts: list[Put], next: Next[list[Placed]]) -> list[Placed]:
        placed = next()
        with pytest.raises(WrongState, match="second time"):
            next()
        return placed

    client.queue("q").put("k")
    assert client.queue("q").length() == 1


def test_hooks_around_put(client: Client) -> None:
    told: list[object] = []
    client.on("before_put")(lambda puts: told.append([put.kind for put in puts]))
    client.on("after_put")(lambda puts, placed: told.append([put.kind for put in puts] + [one.jid for one in placed]))
    client.queue("q").put("k", jid="a")
    assert told == [["k"], ["k", "a"]]
    with pytest.raises(InvalidArgument, match="hook 'start' is unknown; there are before_put, after_put"):
        client.on("start")(print)  # type: ignore[arg-type]
    with pytest.raises(InvalidArgument, match="middleware must be callable"):
        client.use(5)  # type: ignore[type-var]
