"""manyhands.testing, and the example in docs/testing.md."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from performing import raising

from manyhands import Client, Fail, InvalidArgument, Job, Next, Placed, Put, Snooze, Worker
from manyhands.testing import drain, inline, perform, recorded_puts

DOCS = Path(__file__).parents[3] / "docs"


@pytest.fixture
def worker(client: Client) -> Worker:
    """Adds numbers and puts what is left."""
    worker = Worker(client, ["q", "next"])

    @worker.perform("count")
    def count(job: Job) -> int:
        if job.data:
            client.queue("q").put("count", job.data - 1)
        return int(job.data)

    @worker.perform("raise")
    def raises(job: Job) -> None:
        errors = {"fail": Fail("group"), "snooze": Snooze(60), "error": RuntimeError("broken")}
        raise errors[job.data]

    return worker


def states(client: Client, jids: list[str]) -> list[str | None]:
    """Where jobs are."""
    return [job.state if job else None for job in client.jobs(jids)]


def test_drain_performs_what_may_run(client: Client, worker: Worker) -> None:
    queue = client.queue("q")
    first = queue.put("count", 3, route=["next"])
    later = queue.put("count", 0, delay=60)
    unknown = queue.put("unknown")
    assert drain(worker) == 4 + 1 + 4  # the first again in its next queue
    assert states(client, [first.jid, later.jid, unknown.jid]) == ["completed", "scheduled", "failed"]
    assert drain(worker) == 0


def test_drain_lets_jobs_wait_as_a_worker_does(client: Client, worker: Worker) -> None:
    placed = client.queue("q").put("raise", "error")
    waits = []
    for now in (1_000, 10_000, 100_000):
        client.config.set("test-clock", now * 1_000)
        drain(worker, raises=False)
        job = client.job(placed.jid)
        assert job is not None
        waits.append(job.due_at and job.due_at - now)
    assert waits == [1, 2, 4]


def test_drain_raises_what_handlers_raise(client: Client, worker: Worker) -> None:
    jids = [client.queue("q").put("raise", what, retries=1).jid for what in ("fail", "snooze", "error", "error")]
    with pytest.raises(RuntimeError, match="broken"):
        drain(worker)
    assert states(client, jids) == ["failed", "scheduled", "scheduled", "waiting"]
    assert drain(worker, raises=False) == 1
    job = client.job(jids[3])
    assert job is not None
    assert job.failure is not None
    assert (job.state, job.remaining, job.failure["message"]) == ("scheduled", 0, "broken")
    spent = client.queue("q").put("raise", "error", retries=0)
    drain(worker, raises=False)
    job = client.job(spent.jid)
    assert job is not None
    assert job.failure is not None
    assert job.failure["group"] == "raise:RuntimeError"


@pytest.mark.parametrize(("kind", "said"), [("object", "result is not JSON"), ("group", "group")])
def test_what_cannot_be_kept_is_the_handlers_error(client: Client, kind: str, said: str) -> None:
    worker = Worker(client, ["q"])
    worker.perform("object")(lambda _job: object())
    told: list[BaseException] = []
    worker.on("failure")(lambda _job, error: told.append(error))

    @worker.perform("group")
    def group(_job: Job) -> None:
        raise Fail("g" * 300)

    placed = client.queue("q").put(kind, retries=1)
    with pytest.raises(InvalidArgument, match=said):
        drain(worker)
    job = client.job(placed.jid)
    assert job is not None
    assert job.failure is not None
    assert (job.state, job.remaining, job.failure["group"]) == ("scheduled", 0, f"{kind}:INVALID_ARGUMENT")
    assert isinstance(told[-1], InvalidArgument)
    client.queue("q").put(kind)
    assert drain(worker, raises=False) == 1


@pytest.mark.parametrize("raises", [True, False])
@pytest.mark.parametrize("error", [asyncio.CancelledError(), GeneratorExit(), SystemExit(3)])
def test_an_exception_of_any_base_is_told_to_its_job(client: Client, error: BaseException, raises: bool) -> None:
    worker = Worker(client, ["q"])
    worker.perform("k")(raising(error))
    placed = client.queue("q").put("k", retries=0)
    if raises or isinstance(error, SystemExit):  # as a worker ends with that
        with pytest.raises(type(error)):
            drain(worker, raises=raises)
    else:
        assert drain(worker, raises=False) == 1
    assert states(client, [placed.jid]) == ["failed"]


def test_the_group_of_a_long_kind_is_cut(client: Client) -> None:
    worker, long, stranger = Worker(client, ["q"]), "k" * 250, "s" * 250

    @worker.perform(long)
    def raises(_job: Job) -> None:
        raise KeyError

    jids = [client.queue("q").put(kind, retries=0).jid for kind in (long, stranger)]
    assert drain(worker, raises=False) == 2
    failures = [job and job.failure for job in client.jobs(jids)]
    groups = [failure and failure["group"] for failure in failures]
    assert groups == [f"{long}:KeyE", f"unknown-kind:{stranger}"[:255]]


def test_patterns_are_drained(client: Client) -> None:
    client.patterns.set(identifiers={"slow": ["mail-bulk", "old-*"]})
    worker = Worker(client, ["mail-*", "!@slow", "new"])
    performed: list[str] = []

    @worker.perform("k")
    def work(job: Job) -> None:
        performed.append(job.queue)
        if job.queue == "new":
            client.queue("mail-late").put("k")

    for name in ("new", "mail-b", "mail-bulk", "mail-a", "other"):
        client.queue(name).put("k")
    assert drain(worker) == 4
    assert performed == ["mail-a", "mail-b", "new", "mail-late"]


@pytest.mark.parametrize("act", [drain, lambda it: perform(it, Job.build("k")), lambda it: inline(it).__enter__()])
def test_what_is_no_worker_is_refused(client: Client, act: Callable[[Any], object]) -> None:
    with pytest.raises(InvalidArgument, match="worker must be a Worker, not Client"):
        act(client)


def test_what_is_no_client_or_job_is_refused(worker: Worker) -> None:
    with pytest.raises(InvalidArgument, match="client must be a Client"), recorded_puts(worker):  # type: ignore[arg-type]
        pass
    with pytest.raises(InvalidArgument, match="job must be a Job"):
        perform(worker, "count")  # type: ignore[arg-type]


def test_inline_performs_at_once(client: Client, worker: Worker) -> None:
    with inline(worker):
        placed = client.queue("q").put("count", 2)
        assert states(client, [placed.jid]) == ["completed"]
        assert client.queue("q").length() == 0
        with pytest.raises(RuntimeError):
            client.queue("q").put("raise", "error")
    assert states(client, [client.queue("q").put("count", 0).jid]) == ["waiting"]


def test_async_handlers_have_one_loop_while_they_are_drained(client: Client) -> None:
    worker = Worker(client, ["q"])
    loops: list[asyncio.AbstractEventLoop] = []

    @worker.perform("k")
    async def handler(_job: Job) -> None:
        loops.append(asyncio.get_running_loop())

    client.queue("q").put_many([{"kind": "k"}] * 2)
    assert drain(worker) == 2
    with inline(worker):
        client.queue("q").put("k")
        client.queue("q").put("k")
    assert [loops[0] is loops[1], loops[2] is loops[3]] == [True, True]


def test_async_handlers_put_inline(client: Client) -> None:
    worker = Worker(client, ["q"])

    @worker.perform("count")
    async def count(job: Job) -> int:
        if job.data:
            client.queue("q").put("count", job.data - 1)
        return int(job.data)

    with inline(worker):
        placed = client.queue("q").put("count", 2)
        assert client.queue("q").length() == 0
    assert states(client, [placed.jid]) == ["completed"]


def test_a_running_handler_puts_inline_what_is_async(client: Client) -> None:
    inner, outer = Worker(client, ["inner"]), Worker(client, ["outer"], max_jobs=1)
    performed: list[str] = []

    @inner.perform("k")
    async def wait(job: Job) -> None:
        performed.append(job.jid)

    @outer.perform("k")
    def put(_job: Job) -> None:
        with inline(inner):
            client.queue("inner").put("k", jid="b")

    client.queue("outer").put("k", jid="a")
    outer.run()
    assert performed == ["b"]
    assert states(client, ["a", "b"]) == ["completed", "completed"]


def test_perform_needs_no_server() -> None:
    worker = Worker(Client("unix:///nowhere"), ["q"])
    worker.perform("k")(lambda job: job.data * 2)

    @worker.use
    def plus_one(_job: Job, next: Next[int]) -> int:
        return next() + 1

    assert perform(worker, Job.build("k", 20)) == 41
    with pytest.raises(InvalidArgument, match="no handler for other"):
        perform(worker, Job.build("other"))


def test_puts_are_recorded_without_a_server() -> None:
    client = Client("unix:///nowhere")

    @client.use
    def traced(puts: list[Put], next: Next[list[Placed]]) -> list[Placed]:
        for put in puts:
            put.options["tags"] = ["traced"]
        return next()

    with recorded_puts(client) as puts:
        assert client.queue("q").put("k", {"n": (1, 2)}, delay=timedelta(minutes=1), jid="a") == Placed("a", "put")
        client.queue("r").put_many([{"kind": "k"}, {"kind": "other", "priority": 3}])
        with pytest.raises(InvalidArgument, match=r"jobs\[1\].priority 128 is outside"):
            client.queue("r").put_many([{"kind": "k"}, {"kind": "k", "priority": 128}])
        with pytest.raises(InvalidArgument, match="kind must be a text"):
            client.queue("q").put(7)  # type: ignore[arg-type]
    assert len(puts) == 3
    assert puts.assert_put("k", queue="q", data={"n": [1, 2]}, delay=60, tags=["traced"]).options["jid"] == "a"
    assert puts.assert_put("other", priority=3).queue == "r"
    puts.assert_not_put("k", queue="r", data=1)
    puts.assert_not_put("other", queue="q")
    with pytest.raises(AssertionError, match="no job 'k' queue='q' data=5 was put, but"):
        puts.assert_put("k", queue="q", data=5)
    with pytest.raises(AssertionError, match=r"kind='other'.* was put"):
        puts.assert_not_put("other")


def test_the_documented_example(tmp_path: Path) -> None:
    section = (DOCS / "testing.md").read_text().split("## Python: pytest")[1]
    (tmp_path / "test_example.py").write_text(section.split("```python\n")[1].split("```")[0])
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(tmp_path)]
    done = subprocess.run([*command, str(tmp_path)], cwd=tmp_path, check=False, stdout=subprocess.PIPE, text=True)
    assert done.returncode == 0, done.stdout
    assert "5 passed" in done.stdout
