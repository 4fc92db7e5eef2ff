"""Processes of `python -m manyhands work` that are replaced: memory goes back, and nobody waits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from signal import SIGQUIT

from working import Command, is_gone, until, viewed

Run = Callable[..., Command]

JOBS = 10_000
PER_FORK = 100
LEAK = 64_000
"""Bytes per job: 6 MB in the life of a process, 640 MB in all."""


# A2 A3
def test_a_leak_stays_small_and_every_job_is_performed_once(run: Run) -> None:
    command = run(f"--jobs-per-fork={PER_FORK}", "--thread-count=2")
    command.ready(1)
    before = command.memory_mb()
    queue = command.client.queue("q")
    jids = []
    for _ in range(JOBS // 250):
        jids += [placed.jid for placed in queue.put_many([{"kind": "leak", "data": LEAK}] * 250)]
    samples = []
    for _ in range(JOBS // PER_FORK):
        command.says("after_fork")
        samples.append(command.memory_mb())
    until("all is done", lambda: queue.length() == 0)
    command.signal(SIGQUIT)
    assert command.status() == 0
    print(f"{before:.0f} MB before; at the forks at most {max(samples):.0f}, at the last {samples[-1]:.0f}")
    assert max(samples) < before + 100, f"{JOBS * LEAK / 1e6} MB were leaked in all"
    notes = command.notes()
    assert sorted(word for word, _ in notes if word != "serves") == sorted(jids)
    assert set(Counter(pid for word, pid in notes if word != "serves").values()) == {PER_FORK}


def test_a_successor_comes_before_the_last_job_of_its_predecessor(run: Run) -> None:
    command = run(f"--jobs-per-fork={PER_FORK}", "--thread-count=2")
    command.client.config.set("events", "all")
    command.ready(1)
    queue = command.client.queue("q")
    jids = [f"n{number}" for number in range(500)]
    made: set[int] = set()

    def settled() -> bool:
        notes = command.notes()
        performed = Counter(pid for word, pid in notes if word != "serves")
        spent = {pid for pid in made if performed[pid] == PER_FORK}
        return made <= {pid for word, pid in notes if word == "serves"} and all(map(is_gone, spent))

    with command.client.events("completed") as events:
        for jid in jids:
            queue.put("note", jid=jid)
            assert next(events).jid == jid
            made |= command.children()
            until("who comes or goes had its time, however busy the machine is", settled)
    notes = command.notes()
    assert [word for word, _ in notes if word != "serves"] == jids
    begun = [pid for word, pid in notes if word == "serves"]
    last = {pid: at for at, (word, pid) in enumerate(notes) if word != "serves"}
    for pid, successor in pairwise(begun[: len(jids) // PER_FORK]):
        assert notes.index(("serves", successor)) < last[pid], "it comes before the last job of its predecessor"
    happened = [{one["what"]: one["at"] for one in job.history} for job in viewed(command.client, jids)]
    waits = [at["reserved"] - at["put"] for at in happened]
    print(f"the longest wait of {len(jids)} jobs, one after another: {max(waits) * 1000:.0f} ms")


def test_a_successor_takes_jobs_while_its_predecessor_runs_its_last(run: Run) -> None:
    command = run("--jobs-per-fork=2", "--thread-count=2", "--shutdown-timeout=0.05")
    first = command.hold("a")
    assert command.hold("b") == first
    command.finish("a")
    command.ends_as("a", "completed")
    second = command.hold("c")
    assert second != first
    command.finish("c")
    command.ends_as("c", "completed")
    assert command.hold("d") == second
    assert not is_gone(first), "its last job may take as long as it likes"
    command.finish("b")
    assert command.ends_as("b", "completed").result == first
    until("the old one has ended", lambda: is_gone(first))


def test_one_with_too_much_memory_is_replaced(run: Run) -> None:
    command = run("--max-memory-mb=100")
    before = command.ready(1)
    command.put("leak", 120_000_000)
    command.says("more than 100; it is replaced")
    until("the old one has ended", lambda: all(map(is_gone, before)))
    assert command.hold("a") not in before
