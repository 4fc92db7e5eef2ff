"""`async def` handlers and middleware."""

from __future__ import annotations

import asyncio
import contextvars
import sys
import threading
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any

import pytest

from manyhands import Client, InvalidArgument, Job, JobInterrupted, Next, Worker
from manyhands.testing import drain, perform

request: contextvars.ContextVar[str] = contextvars.ContextVar("request", default="none")


def test_handlers_share_one_loop_and_wait_together(client: Client) -> None:
    client.queue("q").put_many([{"kind": "meet", "jid": jid} for jid in ("a", "b", "c")])
    worker = Worker(client, ["q"], threads=3)
    here: list[asyncio.AbstractEventLoop] = []
    met = asyncio.Event()

    @worker.perform("meet")
    async def meet(_job: Job) -> int:
        here.append(asyncio.get_running_loop())
        if len(here) == 3:
            met.set()
            worker.stop()
        await met.wait()
        return len(here)

    worker.run()
    assert len(set(map(id, here))) == 1
    assert [job.result for job in client.jobs(["a", "b", "c"]) if job] == [3, 3, 3]
    assert not [thread for thread in threading.enumerate() if thread.name == "manyhands-loop"]


def test_no_more_handlers_run_at_once_than_there_are_threads(client: Client) -> None:
    client.queue("q").put_many([{"kind": "k"}] * 60)
    worker = Worker(client, ["q"], threads=3)
    running, most, performed = 0, 0, 0

    @worker.perform("k")
    async def handler(_job: Job) -> None:
        nonlocal running, most, performed
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)  # the others begin, as many as may
        running -= 1
        performed += 1
        if performed == 60:
            worker.stop()

    worker.run()
    assert 1 <= most <= 3


def test_middleware_around_async_handlers(client: Client) -> None:
    client.queue("q").put("k", jid="a")
    worker = Worker(client, ["q"])
    trace: list[str] = []

    @worker.use
    def outer(job: Job, next: Next[Any]) -> Any:
        token = request.set(job.jid)
        try:
            return {"outer": next()}
        finally:
            request.reset(token)

    @worker.use
    async def inner(_job: Job, next: Next[Any]) -> Any:
        trace.append(f"inner of {request.get()}")
        try:
            return await next()
        finally:
            trace.append("inner after")

    @worker.perform("k")
    async def handler(_job: Job) -> str:
        trace.append(f"handler of {request.get()}")
        await asyncio.sleep(0)
        return "done"

    assert drain(worker) == 1
    job = client.job("a")
    assert job is not None
    assert job.result == {"outer": "done"}
    assert trace == ["inner of a", "handler of a", "inner after"]


@pytest.mark.parametrize("error", [RuntimeError("broken"), asyncio.CancelledError()])
def test_what_async_handlers_raise(client: Client, error: BaseException) -> None:
    client.queue("q").put("k", jid="a", retries=0)
    worker = Worker(client, ["q"])

    @worker.perform("k")
    async def handler(_job: Job) -> None:
        worker.stop()
        raise error

    worker.run()
    job = client.job("a")
    assert job is not None
    assert job.failure is not None
    assert job.failure["group"] == f"k:{type(error).__name__}"


def test_a_system_exit_ends_the_worker_and_not_the_loop(client: Client) -> None:
    client.queue("q").put("k", jid="a")
    worker = Worker(client, ["q"])

    @worker.perform("k")
    async def handler(_job: Job) -> None:
        raise SystemExit(3)

    with pytest.raises(SystemExit):
        worker.run()
    assert client.queue("q").counts()["running"] == 0


def test_a_system_exit_of_what_a_handler_left_running_ends_nothing(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    client.queue("q").put_many([{"kind": "k", "jid": jid} for jid in ("a", "b")])
    worker = Worker(client, ["q"])
    left: list[asyncio.Task[None]] = []

    async def leaves() -> None:
        sys.exit(3)

    @worker.perform("k")
    async def handler(job: Job) -> str:
        if job.jid == "a":
            left.append(asyncio.create_task(leaves()))
        else:
            worker.stop()
        await asyncio.sleep(0)  # the task runs
        return "done"

    worker.run()
    assert [job.result for job in client.jobs(["a", "b"]) if job] == ["done", "done"]
    assert left[0].exception() is not None
    assert "something on the event loop raised SystemExit; it goes on" in [it.getMessage() for it in caplog.records]


def test_the_loop_ends_well_whatever_a_task_raises_then(client: Client) -> None:
    client.queue("q").put("k")
    worker = Worker(client, ["q"])
    left: list[asyncio.Task[None]] = []
    tidied: list[str] = []

    async def leaves() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            sys.exit(3)

    async def tidies() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            tidied.append("up")

    @worker.perform("k")
    async def handler(_job: Job) -> None:
        left.extend(asyncio.create_task(one) for one in (leaves(), tidies()))
        await asyncio.sleep(0)  # they run
        worker.stop()

    worker.run()
    assert tidied == ["up"]
    assert left[0].get_loop().is_closed()


def test_a_killed_async_handler_is_cancelled(client: Client) -> None:
    client.queue("q").put("k", jid="a", retries=0)
    worker = Worker(client, ["q"])
    reasons: list[object] = []

    @worker.perform("k")
    async def handler(_job: Job) -> str:
        if reasons:
            worker.stop()
            return "again"
        worker.kill_running()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError as error:
            reasons.extend(error.args)
            raise
        return "not cancelled"

    worker.run()
    job = client.job("a")
    assert job is not None
    assert (job.result, job.remaining, reasons) == ("again", 0, ["killed"])


def test_an_interrupt_reaches_its_run_while_another_thread_waits_for_the_handler(client: Client) -> None:
    client.queue("q").put("k", jid="a", retries=0)
    worker = Worker(client, ["q"])
    told: Future[str] = Future()

    with ThreadPoolExecutor() as pool:

        @worker.use
        def elsewhere(_job: Job, next: Next[Any]) -> Any:
            there = pool.submit(next)
            try:
                while not wait([there], timeout=0.01).done:
                    pass  # an exception is raised in a thread only between two such waits
            except JobInterrupted as error:
                told.set_result(error.reason)
                raise
            return there.result()

        @worker.perform("k")
        async def handler(_job: Job) -> str:
            if told.done():
                worker.stop()
                return "again"
            worker.kill_running()
            await asyncio.wrap_future(told)
            return "not cancelled"

        worker.run()
    job = client.job("a")
    assert job is not None
    assert (job.result, told.result()) == ("again", "killed")


def test_one_job_on_several_threads_is_awaited_on_each() -> None:
    worker = Worker(Client("unix:///nowhere"), ["q"])
    here = threading.Barrier(3)
    begun: list[Job] = []
    all_begun: Future[None] = Future()

    @worker.use
    def together(_job: Job, next: Next[Any]) -> Any:
        here.wait(60)
        return next()

    @worker.perform("k")
    async def handler(job: Job) -> str:
        begun.append(job)
        if len(begun) == 3:
            all_begun.set_result(None)
        await asyncio.wait_for(asyncio.wrap_future(all_begun), 20)
        return "inner"

    with worker._duties.awaiting(), ThreadPoolExecutor(3) as pool:
        assert list(pool.map(lambda job: perform(worker, job), [Job.build("k")] * 3)) == ["inner"] * 3


def test_a_handler_on_the_loop_hands_its_own_job_to_another_worker(client: Client) -> None:
    client.queue("q").put("k", jid="a")
    inner, outer = Worker(client, ["inner"]), Worker(client, ["q"], max_jobs=1)

    @inner.perform("k")
    async def within(_job: Job) -> str:
        return "inner"

    @outer.perform("k")
    async def around(job: Job) -> Any:
        return perform(inner, job)

    outer.run()
    job = client.job("a")
    assert job is not None
    assert job.result == "inner"


def test_async_middleware_is_refused_where_it_cannot_be(client: Client) -> None:
    async def around(_job: Job, next: Next[Any]) -> Any:
        return await next()

    worker = Worker(client, ["q"])
    worker.perform("k")(lambda _job: None)
    with pytest.raises(InvalidArgument, match="around is async def, but the handler of k is not"):
        worker.use(around)
    worker = Worker(client, ["q"])
    worker.use(around)
    worker.use(lambda _job, next: next())

    async def handler(_job: Job) -> None: ...

    with pytest.raises(InvalidArgument, match="is not async def, but comes after one that is"):
        worker.perform("k")(handler)
