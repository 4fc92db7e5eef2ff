"""Worker: threads, stopping, recovery, its arguments."""

from __future__ import annotations

import json
import logging
import subprocess
import threading
from collections.abc import Callable
from datetime import timedelta
from queue import SimpleQueue
from typing import Any

import pytest
from performing import found, perform, raising
from plain_redis import PlainRedis
from servers import redis_server, wait_for_line

from manyhands import (
    Client,
    Closed,
    InvalidArgument,
    Job,
    LockLost,
    Unavailable,
    Worker,
    WrongState,
)
from manyhands._finished import Finished


def test_threads_drain_many_jobs_once(client: Client) -> None:
    jids = {placed.jid for placed in client.queue("q").put_many([{"kind": "work"}] * 1000)}
    jids |= {placed.jid for placed in client.queue("r").put_many([{"kind": "work"}] * 1000)}
    worker = Worker(client, ["q", "r"], threads=4, strategy="round_robin")
    performed: list[str] = []
    names: set[str] = set()

    @worker.perform("work")
    def work(job: Job) -> None:
        performed.append(job.jid)
        names.add(threading.current_thread().name)
        if len(performed) == 2000:
            worker.stop()

    worker.run()
    assert len(performed) == 2000
    assert set(performed) == jids
    assert len(names) > 1
    for queue in ("q", "r"):
        counts = client.queue(queue).counts()
        assert (counts["waiting"], counts["running"]) == (0, 0)
        assert client.queue(queue).stats()["run"]["count"] == 1000


def test_a_second_run_is_refused_while_the_first_goes_on(client: Client) -> None:
    client.queue("q").put("work", jid="j")
    worker = Worker(client, ["q"])
    refused: list[WrongState] = []

    @worker.perform("work")
    def work(_job: Job) -> None:
        try:
            worker.run()
        except WrongState as error:
            refused.append(error)
        finally:
            worker.stop()

    worker.run()
    assert [(error.message, error.operation) for error in refused] == [("the worker runs already", "worker_run")]
    assert found(client, "j").state == "completed"
    with pytest.raises(Closed):
        worker.run()


def test_a_function_chooses_the_queues(client: Client) -> None:
    for name in ("mail-a", "mail-b", "mail-c"):
        client.queue(name).put_many([{"kind": "work"}] * 3)
    asked: list[list[str]] = []
    performed: list[str] = []

    def choose(queues: list[str]) -> list[str]:
        asked.append(queues)
        return ["mail-c", "mail-a", "elsewhere"] if len(performed) < 6 else ["mail-b"]

    worker = Worker(client, ["mail-*"], strategy=choose)

    @worker.perform("work")
    def work(job: Job) -> None:
        performed.append(job.queue)
        if len(performed) == 9:
            worker.stop()

    worker.run()
    assert performed == ["mail-c"] * 3 + ["mail-a"] * 3 + ["mail-b"] * 3
    assert asked
    assert all(queues == ["mail-a", "mail-b", "mail-c"] for queues in asked), "no pattern is among them"


def test_an_idle_worker_asks_its_function_again(client: Client) -> None:
    client.queue("q").put("work")
    asked = 0

    def choose(queues: list[str]) -> list[str]:
        nonlocal asked
        asked += 1
        return queues if asked > 1 else []

    with Worker(client, ["q"], strategy=choose) as worker:
        job = worker.next(10)
        assert job is not None
        assert asked == 2
        job.complete()


def test_the_order_stays_when_a_function_raises(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    client.queue("q").put("work")
    client.queue("r").put("work")
    answers: list[Any] = [["r"], "q", [1], None, ["\ud800"]]

    def choose(_queues: list[str]) -> Any:
        if answers:
            return answers.pop(0)
        raise KeyError("nothing left")

    with Worker(client, ["q", "r"], strategy=choose) as worker:
        job = worker.next(10)
        assert job is not None
        assert job.queue == "r"
        job.complete()
        for _ in range(6):
            assert worker.next(0) is None
    faults = [record.exc_info[0] for record in caplog.records if record.exc_info]
    assert faults == [*[InvalidArgument] * 4, KeyError]


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt()])
def test_a_handler_that_ends_the_program_keeps_its_job(client: Client, error: BaseException) -> None:
    placed = client.queue("q").put("work")
    client.queue("q").put("never")
    worker = Worker(client, ["q"])
    worker.perform("work")(raising(error))
    with pytest.raises(type(error)):
        worker.run()
    job = found(client, placed.jid)
    assert (job.state, job.remaining) == ("scheduled", job.retries - 1)
    assert client.queue("q").counts()["running"] == 0


def test_the_first_crash_is_raised(client: Client) -> None:
    client.queue("q").put_many([{"kind": "first"}, {"kind": "second"}])
    worker = Worker(client, ["q"], threads=2)
    first: SimpleQueue[threading.Thread] = SimpleQueue()

    @worker.perform("first")
    def exit_first(_job: Job) -> None:
        first.put(threading.current_thread())
        raise SystemExit(3)

    @worker.perform("second")
    def interrupt_then(_job: Job) -> None:
        first.get().join()
        raise KeyboardInterrupt

    with pytest.raises(SystemExit) as caught:
        worker.run()
    assert caught.value.code == 3


def test_a_crash_is_raised_when_the_last_outcomes_are_lost() -> None:
    with redis_server() as (server, path), Client(f"unix://{path}", engine_upgrade="auto") as client:
        client.queue("q").put("work")
        worker = Worker(client, ["q"])

        @worker.perform("work")
        def work(_job: Job) -> None:
            server.kill()
            server.wait()
            raise SystemExit(3)

        with pytest.raises(SystemExit) as caught:
            worker.run()
        assert caught.value.code == 3
        assert isinstance(caught.value.__cause__, Unavailable)


def test_lock_lost_is_told(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    placed = client.queue("q").put("work", {"n": 1})
    worker = Worker(client, ["q"])
    told: list[tuple[Any, str]] = []

    @worker.on_lock_lost
    def lost(job: Job, reason: str) -> None:
        told.append((job.data, reason))
        worker.stop()
        raise RuntimeError

    @worker.perform("work")
    def work(job: Job) -> str:
        client.queue("other").put("work", jid=job.jid, on_conflict="move")
        with pytest.raises(LockLost):
            job.heartbeat()
        return "too late"

    with caplog.at_level(logging.WARNING, "manyhands"):
        worker.run()
    assert told == [({"n": 1}, "replaced")]
    assert f"job {placed.jid}: job_complete was refused" in caplog.text
    assert "a lock_lost hook raised" in caplog.text
    assert found(client, placed.jid).state == "waiting"


def test_of_finished_jobs_little_is_kept() -> None:
    million = "x" * 1_000_000
    finished = Finished()
    for number in range(24):
        job = Job.build("work", {"text": million}, jid=f"large{number}")
        assert len(job.data["text"]) == 1_000_000
        finished.keep(job, "token")
    for number in range(900):
        finished.keep(Job.build("work", jid=f"small{number}"), "token")
    kept = [finished.take(f"large{number}", "token") for number in range(24)]
    assert [(job.jid, job.kind) for job in kept if job] == [(f"large{number}", "work") for number in range(24)]
    for large in kept[:8]:
        assert large is not None
        with pytest.raises(WrongState, match="its data is no longer kept"):
            _ = large.data
    assert [len(job.data["text"]) for job in kept[8:] if job] == [1_000_000] * 16
    assert finished.take("large23", "token") is None
    for number in range(900, 1_900):
        finished.keep(Job.build("work", jid=f"small{number}"), "token")
    assert finished.take("small899", "token") is None
    assert finished.take("small900", "token") is not None


def test_stop_leaves_running_handlers_their_time(client: Client) -> None:
    placed = client.queue("q").put("work")
    worker = Worker(client, ["q"])
    go = threading.Event()

    @worker.perform("work")
    def work(_job: Job) -> None:
        worker.stop()
        threading.Thread(target=go.set).start()
        go.wait()

    worker.run()
    assert found(client, placed.jid).state == "completed"


class Told(logging.Handler):
    """Waits for a message of the worker."""

    def __init__(self, words: str) -> None:
        super().__init__()
        self.words = words
        self.message: SimpleQueue[str] = SimpleQueue()

    def emit(self, record: logging.LogRecord) -> None:
        if self.words in record.getMessage():
            self.message.put(record.getMessage())


def test_stop_does_not_wait_longer_than_asked(client: Client) -> None:
    placed = client.queue("q").put("work")
    worker = Worker(client, ["q"], shutdown_timeout=0)
    told, go = Told("had stopped"), threading.Event()

    @worker.perform("work")
    def work(_job: Job) -> None:
        worker.stop()
        go.wait()

    worker.run()
    assert found(client, placed.jid).state == "running"
    logging.getLogger("manyhands").addHandler(told)
    go.set()
    assert placed.jid in told.message.get()
    logging.getLogger("manyhands").removeHandler(told)


def test_a_stopped_worker_does_not_run_again(client: Client) -> None:
    client.queue("q").put("work")
    worker = perform(client, lambda _job: None)
    with pytest.raises(Closed):
        worker.run()
    with pytest.raises(WrongState, match="too late"):
        worker.perform("other")(lambda _job: None)


def test_closed_with_jobs_in_hand(client: Client) -> None:
    jids = [placed.jid for placed in client.queue("q").put_many([{"kind": "work"}] * 3)]
    worker = Worker(client, ["q"])
    jobs = [worker.next(10), worker.next(10)]
    assert [job.jid for job in jobs if job] == jids[:2]
    assert jobs[0] is not None
    jobs[0].complete()
    worker.close(0)
    assert [found(client, jid).state for jid in jids] == ["completed", "running", "waiting"]
    assert worker.next() is None
    assert jobs[1] is not None
    with pytest.raises(Closed):
        jobs[1].complete()


def test_an_idle_worker_looks_as_often_as_its_interval_says(client: Client, redis: PlainRedis) -> None:
    with Worker(client, ["q"], interval=0.5) as worker:
        redis("MONITOR")
        waiting = threading.Thread(target=worker.next)
        waiting.start()
        spans = [float(redis.hears("BLPOP")[-1]) for _ in range(2)]
        client.queue("q").put("work")
        waiting.join()
        worker.close(0)
    assert [0.45 <= span <= 0.55 for span in spans] == [True, True]


@pytest.mark.parametrize("interval", [0.01, timedelta(days=1)])
def test_intervals_there_are(client: Client, interval: float | timedelta) -> None:
    assert Worker(client, ["q"], interval=interval).name


def test_next_waits_for_its_time_only(client: Client) -> None:
    with Worker(client, ["q"]) as worker:
        assert worker.next(0) is None
        assert worker.next(0.01) is None


def test_next_gets_a_job_when_it_becomes_due(client: Client) -> None:
    with Worker(client, ["q"]) as worker:
        placed = client.queue("q").put("k", delay=0.05)
        job = worker.next(10)
        assert job is not None
        assert job.jid == placed.jid
        job.complete()


def test_a_lease_is_renewed_though_no_python_runs(
    client: Client, program: Callable[..., subprocess.Popen[str]]
) -> None:
    client.config.set("heartbeat", 1.2)  # the pulse comes once a second
    client.config.set("grace-period", 2)  # for a machine that is busy otherwise
    placed = client.queue("q").put("work")
    process = program("holds_the_gil")
    assert wait_for_line(process.stdout, "started")
    first = found(client, placed.jid).lease_until
    assert first is not None
    with Worker(client, ["q"]) as other:
        while (lease_until := found(client, placed.jid).lease_until) and lease_until < first + 5 * 1.2:
            assert other.next(0.1) is None
    process.communicate("\n")
    assert found(client, placed.jid).state == "completed"
    assert "lost" not in [entry["what"] for entry in found(client, placed.jid).history]


def test_a_killed_workers_job_is_performed_by_another(
    client: Client, program: Callable[..., subprocess.Popen[str]]
) -> None:
    client.config.set("heartbeat", 0.2)
    client.config.set("grace-period", 0)
    placed = client.queue("q").put("work")
    process = program("never_ends")
    assert process.stdout is not None
    assert process.stdout.readline() == f"started {placed.jid}\n"
    process.kill()
    perform(client, lambda job: job.remaining)
    job = found(client, placed.jid)
    assert (job.state, job.result) == ("completed", job.retries - 1)
    assert "lost" in [entry["what"] for entry in job.history]


BAD_WORKERS: list[tuple[dict[str, Any], str]] = [
    ({"queues": []}, "queues"),
    ({"queues": "q"}, "queues"),
    ({"queues": [""]}, "queues"),
    ({"queues": ["q"], "threads": 0}, "threads"),
    ({"queues": ["q"], "threads": 1.5}, "threads"),
    ({"queues": ["q"], "strategy": "sideways"}, "strategy"),
    ({"queues": ["q"], "log": "loud"}, "log loud is unknown"),
    ({"queues": ["q"], "statsd": {"host": "localhost", "port": 0}}, "statsd.port 0 is outside"),
    ({"queues": ["q"], "statsd": {"port": 1}}, "statsd.host is missing"),
    ({"queues": ["q"], "weights": 5}, "weights must be a mapping"),
    ({"queues": ["q"], "statsd": "localhost"}, "statsd must be a mapping"),
    ({"queues": ["q"], "strategy": "callback"}, "strategy callback is a function"),
    ({"queues": ["q"], "interval": 0.009}, "interval must be 0.01 to 86400 seconds"),
    ({"queues": ["q"], "interval": 86401}, "interval must be 0.01 to 86400 seconds"),
    ({"queues": ["q"], "interval": "often"}, "interval must be seconds"),
    ({"queues": ["q"], "shutdown_timeout": -1}, "shutdown_timeout"),
    ({"queues": ["q"], "shutdown_timeout": float("nan")}, "shutdown_timeout"),
]


@pytest.mark.parametrize(("options", "argument"), BAD_WORKERS)
def test_bad_options(client: Client, options: dict[str, Any], argument: str) -> None:
    with pytest.raises(InvalidArgument, match=argument) as caught:
        Worker(client, **options)
    assert caught.value.code == 100


def test_a_line_is_logged_for_each_job(client: Client, capfd: pytest.CaptureFixture[str]) -> None:
    placed = client.queue("q").put("k")
    worker = Worker(client, ["q"], log="json")
    worker.perform("k")(lambda _job: worker.stop())
    worker.run()
    (line,) = (json.loads(line) for line in capfd.readouterr().err.splitlines() if placed.jid in line)
    assert (line["kind"], line["queue"], line["attempt"]) == ("k", "q", 1)


def test_more_bad_arguments(client: Client) -> None:
    worker = Worker(client, ["q"])
    with pytest.raises(InvalidArgument, match="concurrency"):
        Worker(client, ["q"], concurrency=2)  # type: ignore[arg-type]
    for on in (worker.on, client.on):  # as a decorator without its name
        with pytest.raises(InvalidArgument, match="hook <function"):
            on(found)  # type: ignore[arg-type]
    with pytest.raises(InvalidArgument, match="kind is empty"):
        worker.perform("")(lambda _job: None)
    with pytest.raises(InvalidArgument, match="timeout"):
        worker.next(-1)
    with pytest.raises(InvalidArgument, match="timeout"):
        worker.close(float("nan"))
