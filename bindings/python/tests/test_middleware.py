"""Middleware around perform: the cases that hold in every language, and what is Python's own; hooks."""

from __future__ import annotations

import contextvars
import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from manyhands import (
    Client,
    Fail,
    InvalidArgument,
    Job,
    Next,
    Placed,
    Put,
    Retry,
    Snooze,
    Worker,
    WrongState,
)

CASES = json.loads((Path(__file__).parents[3] / "tests" / "middleware" / "cases.json").read_text())

Move = Callable[[Job, "Next[Any]"], Any]


def around_move(name: str, move: str, trace: list[str]) -> Move:
    """The middleware that makes one of the cases' moves."""

    def around(_job: Job, next: Next[Any]) -> Any:
        trace.append(f"{name} before")
        try:
            result = next()
        except Exception:
            trace.append(f"{name} raised")
            raise
        trace.append(f"{name} after")
        return result

    def skip(_job: Job, _next: Next[Any]) -> None:
        trace.append(f"{name} skips")

    def fail(_job: Job, _next: Next[Any]) -> None:
        trace.append(f"{name} fails")
        raise Fail("held", f"by {name}")

    def snooze(_job: Job, _next: Next[Any]) -> None:
        trace.append(f"{name} snoozes")
        raise Snooze(60)

    def retry(_job: Job, _next: Next[Any]) -> None:
        trace.append(f"{name} retries")
        raise Retry(60)

    def finish(job: Job, _next: Next[Any]) -> None:
        trace.append(f"{name} finishes")
        job.complete({"by": name})

    def break_(_job: Job, _next: Next[Any]) -> None:
        trace.append(f"{name} breaks")
        raise RuntimeError(f"broken by {name}")

    def break_after(_job: Job, next: Next[Any]) -> None:
        next()
        trace.append(f"{name} breaks")
        raise RuntimeError(f"broken by {name}")

    def rescue(_job: Job, next: Next[Any]) -> Any:
        try:
            return next()
        except RuntimeError:
            trace.append(f"{name} rescues")
            return {"rescued": True}

    def replace(_job: Job, next: Next[Any]) -> Any:
        next()
        trace.append(f"{name} replaces")
        return {"from": name}

    def write(job: Job, next: Next[Any]) -> Any:
        job.locals["seen"] = name
        return next()

    def read(job: Job, next: Next[Any]) -> Any:
        trace.append(f"{name} sees {job.locals.get('seen', 'nothing')}")
        return next()

    def twice(_job: Job, next: Next[Any]) -> Any:
        result = next()
        with pytest.raises(WrongState):
            next()
        trace.append(f"{name} refused")
        return result

    moves: dict[str, Move] = {**locals(), "break": break_}
    return moves[move]


def handler_of(name: str, trace: list[str]) -> Callable[[Job], Any]:
    """The handler that a case names."""

    def answer(_job: Job) -> Any:
        trace.append("handler")
        return {"answer": 42}

    def read(job: Job) -> None:
        trace.append(f"handler sees {job.locals.get('seen', 'nothing')}")

    def break_(_job: Job) -> None:
        trace.append("handler")
        raise RuntimeError("broken")

    def fail(job: Job) -> None:
        trace.append("handler")
        job.fail("held", "by handler")

    handlers: dict[str, Callable[[Job], Any]] = {"answer": answer, "read": read, "break": break_, "fail": fail}
    return handlers[name]


def stopping_after(worker: Worker, jobs: int) -> None:
    """The outermost middleware, which stops the worker after so many jobs."""
    left = jobs

    @worker.use
    def count_down(_job: Job, next: Next[Any]) -> Any:
        nonlocal left
        left -= 1
        if left == 0:
            worker.stop()
        return next()


def compare(client: Client, case: dict[str, Any], jids: list[str], trace: list[str]) -> None:
    """What became of the jobs, as the case says."""
    assert trace == case["trace"]
    for jid in jids:
        job = client.job(jid)
        assert job is not None
        assert job.state == case["state"]
        if "result" in case:
            assert job.result == case["result"]
        for name in {"group", "message"} & set(case):
            assert job.failure is not None
            assert job.failure[name] == case[name]  # type: ignore[literal-required]


@pytest.mark.parametrize("case", CASES["cases"], ids=lambda case: case["name"].replace(" ", "-"))
def test_cases(client: Client, case: dict[str, Any]) -> None:
    options = {"retries": case["retries"]} if "retries" in case else {}
    jobs = case.get("jobs", 1)
    jids = [client.queue("q").put("k", **options).jid for _ in range(jobs)]
    trace: list[str] = []
    worker = Worker(client, ["q"])
    stopping_after(worker, jobs)
    for link in case["chain"]:
        name, move = link.split()
        worker.use(around_move(name, move, trace))
    worker.perform("k")(handler_of(case["handler"], trace))
    told: list[str] = []
    worker.on("before_perform")(lambda _job: told.append("before"))
    worker.on("after_perform")(lambda _job: told.append("after"))
    worker.on("failure")(lambda _job, _error: told.append("failure"))
    worker.run()
    compare(client, case, jids, trace)
    assert told == [hook.split()[0] for hook in case["hooks"]]


tenant: contextvars.ContextVar[str] = contextvars.ContextVar("tenant", default="none")


def test_each_run_has_a_context_of_its_own(client: Client) -> None:
    client.queue("q").put_many([{"kind": "k", "data": name} for name in ("ann", "bob")])
    worker = Worker(client, ["q"])
    seen: list[str] = []

    @worker.on("before_perform")
    def enter(job: Job) -> None:
        seen.append(tenant.get())
        tenant.set(job.data)

    worker.on("after_perform")(lambda _job: seen.append(tenant.get()))

    @worker.perform("k")
    def handler(job: Job) -> None:
        if job.data == "bob":
            worker.stop()

    worker.run()
    assert seen == ["none", "ann", "none", "bob"]


def test_a_failure_is_told_once(client: Client) -> None:
    worker = Worker(client, ["q"])
    told: list[BaseException] = []
    worker.on("failure")(lambda _job, error: told.append(error))

    @worker.perform("fails")
    def fails(job: Job) -> None:
        job.fail("held", "by itself", "here")

    @worker.perform("raises")
    def raises(job: Job) -> None:
        worker.stop()
        job.fail("held")
        raise LookupError

    client.queue("q").put("fails")
    client.queue("q").put("raises")
    worker.run()
    failed, raised = told
    assert isinstance(failed, Fail)
    assert failed.fields() == {"group": "held", "message": "by itself", "trace": "here"}
    assert type(raised) is LookupError


class Around:
    """One whose objects are middleware."""

    def __call__(self, _job: Job, next: Next[Any]) -> Any:
        return next()


def test_what_nobody_would_await_or_make_is_refused(client: Client) -> None:
    async def hears(_worker: Worker) -> None: ...

    async def around(_puts: list[Put], next: Next[list[Placed]]) -> list[Placed]:
        return next()

    worker = Worker(client, ["q"])
    with pytest.raises(InvalidArgument, match="hook start is async def: hooks are called, not awaited"):
        worker.on("start")(hears)
    with pytest.raises(InvalidArgument, match="hook after_put is async def"):
        client.on("after_put")(hears)
    with pytest.raises(InvalidArgument, match="around is async def: around a put it is called, not awaited"):
        client.use(around)  # type: ignore[type-var]
    with pytest.raises(InvalidArgument, match="middleware Around is a class: give an object of it"):
        worker.use(Around)  # type: ignore[type-var]
    with pytest.raises(InvalidArgument, match="the handler of k is the class Around: decorate it with "):
        worker.perform("k")(Around)  # type: ignore[type-var]


def test_middleware_is_refused_when_it_comes_too_late_or_cannot_be_called(client: Client) -> None:
    worker = Worker(client, ["q"])
    with pytest.raises(InvalidArgument, match="middleware must be callable, not int"):
        worker.use(5)  # type: ignore[type-var]
    with pytest.raises(InvalidArgument, match="the handler of k must be callable, not int"):
        worker.perform("k")(5)  # type: ignore[type-var]
    with pytest.raises(InvalidArgument, match="hook 'party' is unknown; there are before_perform, "):
        worker.on("party")(print)  # type: ignore[arg-type]
    with pytest.raises(InvalidArgument, match="hook start must be callable, not int"):
        worker.on("start")(5)  # type: ignore[type-var]
    with worker:
        worker.next(0)
        with pytest.raises(WrongState, match="middleware comes too late"):
            worker.use(lambda _job, next: next())
        with pytest.raises(WrongState, match="a hook comes too late"):
            worker.on("start")(print)


def test_hooks_tell_what_happens(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    queue = client.queue("q")
    queue.put("unknown", jid="unknown")
    queue.put_many([{"kind": "k", "jid": jid} for jid in ("good", "failing", "breaking")])
    worker = Worker(client, ["q"])
    stopping_after(worker, 3)
    told: list[str] = []
    worker.on("start")(lambda worker: told.append(f"start {worker.name}"))
    worker.on("stop")(lambda worker: told.append(f"stop {worker.name}"))
    worker.on("before_perform")(lambda job: told.append(f"before {job.jid}"))
    worker.on("after_perform")(lambda job: told.append(f"after {job.jid}"))
    worker.on("failure")(lambda job, error: told.append(f"failure {job.jid} {type(error).__name__}"))

    @worker.on("before_perform")
    def broken(job: Job) -> None:
        raise RuntimeError(f"hook of {job.jid}")

    @worker.perform("k")
    def handler(job: Job) -> None:
        told.append(f"handler {job.jid}")
        if job.jid == "failing":
            raise Fail("group")
        if job.jid == "breaking":
            raise RuntimeError("broken")

    with caplog.at_level(logging.ERROR, "manyhands"):
        worker.run()
    assert told == [
        f"start {worker.name}",
        *("before good", "handler good", "after good"),
        *("before failing", "handler failing", "after failing", "failure failing Fail"),
        *("before breaking", "handler breaking", "after breaking", "failure breaking RuntimeError"),
        f"stop {worker.name}",
    ]
    assert [record.getMessage() for record in caplog.records] == [
        f"a before_perform hook raised for job {jid}" for jid in ("good", "failing", "breaking")
    ]
