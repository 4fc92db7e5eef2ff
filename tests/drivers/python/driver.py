"""Answers the scenario runner through the Python package's public surface. The protocol: tests/README.md."""

import inspect
import json
import sys

from units import SPANS, described, in_ms, in_seconds

import manyhands

NAMED = ["jid", "kind", "queue", "data", "priority", "retries", "remaining", "token", "put_at", "worker", "tags"]
NAMED += ["route", "throttles", "headers", "run_timeout", "backoff", "parent", "tracked"]
VIEWED = [*NAMED, "state", "stalled", "result", "due_at", "lease_until", "failure", "history"]
VIEWED += ["dependencies", "dependents"]
RECURRING = ["jid", "kind", "queue", "data", "interval", "backlog", "count", "paused", "next_at", "priority", "retries"]
RECURRING += ["tags", "throttles", "route", "headers", "timeout", "backoff"]
clients, held = {}, {}  # open clients by label; reserved jobs that nobody ended, by client, jid and token


class NoPlaceError(TypeError):
    """A method has no place for these arguments: one is missing, or has a name that it does not know."""


def use(method, *args, **kwargs):
    """Calls a method, unless it has no place for the arguments. A TypeError that it raises itself is its own."""
    try:
        inspect.signature(method).bind(*args, **kwargs)
    except TypeError as error:
        raise NoPlaceError(str(error)) from None
    return method(*args, **kwargs)


def door(client, operation, args):
    """What no method says."""
    return client.call(operation, args)


def viewed(job):
    return job and described(job, VIEWED) | {"progress": in_ms(job.progressed)}


def page(page, items):
    return {"total": page.total, items: in_ms(page.items)}


def named(page, items, noun):
    return {
        "total": page.total,
        items: in_ms([{noun: one.pop("name"), **one} for one in page.items]),
    }


def put(client, _label, jobs):
    if len({job["queue"] for job in jobs}) != 1:
        return door(client, "queue_put", {"jobs": jobs})
    queue = client.queue(jobs[0]["queue"])
    items = [in_seconds({name: value for name, value in job.items() if name != "queue"}) for job in jobs]
    placed = queue.put_many(items) if len(items) > 1 else [use(queue.put, **items[0])]
    return [{"jid": one.jid, "outcome": one.outcome, "satisfied": one.satisfied} for one in placed]


def reserve(client, label, queues, **args):
    if len(queues) != 1:
        return door(client, "queue_reserve", {"queues": queues, **args})
    jobs = use(client.queue(queues[0]).reserve, **args)
    held.update({(label, job.jid, job.token): job for job in jobs})
    return {"jobs": [described(job, NAMED) for job in jobs]}


def end(verb):
    """Methods of Job. It measures its run itself, and ends once: run_ms and spent tokens go through the door."""

    def method(client, label, jobs):
        key = len(jobs) == 1 and (label, jobs[0]["jid"], jobs[0]["token"])
        if key not in held or "run_ms" in jobs[0]:
            return door(client, f"job_{verb}", {"jobs": jobs})
        fields = in_seconds({name: value for name, value in jobs[0].items() if name not in ("jid", "token")})
        outcome = use(getattr(held[key], verb), **fields)
        del held[key]
        return [{"jid": key[1], "outcome": outcome}]

    return method


def heartbeat(client, label, jobs):
    key = len(jobs) == 1 and (label, jobs[0]["jid"], jobs[0]["token"])
    if key not in held:
        return door(client, "job_heartbeat", {"jobs": jobs})
    return [{"jid": key[1], "lease_ms": held[key].heartbeat() * 1000}]


def of_held(operation, act):
    """What only the holder of a job may do; a token that is not in hand goes through the door."""

    def method(client, label, jid, token, **args):
        job = held.get((label, jid, token))
        return use(act, job, **args) if job else door(client, operation, {"jid": jid, "token": token, **args})

    return method


def of_job(operation, act):
    """What a method of Job does to a job that was looked up; for one that is not there, the door."""
    return of_found(operation, manyhands.Client.job, act)


def of_recurring(operation, act):
    return of_found(operation, manyhands.Client.recurring, act)


def of_found(operation, find, act):
    def method(client, _label, jid, **args):
        try:
            found = find(client, jid)
        except manyhands.InvalidArgument:
            found = None
        return use(act, found, **in_seconds(args)) if found else door(client, operation, {"jid": jid, **args})

    return method


def log(client, label, jid, **args):
    method = of_held if "token" in args else of_job
    return method("job_log", lambda job, **args: ok(use(job.log, **args)))(client, label, jid, **args)


def of_queue(operation, act):
    """What a method of Queue does to one queue; several at once go through the door."""

    def method(client, _label, queues):
        if len(queues) != 1:
            return door(client, operation, {"queues": queues})
        return int(act(client.queue(queues[0])))

    return method


def listed(client, _label, state, queue=None, **args):
    if state == "completed" and queue is None:
        return page(use(client.completed, **args), "jids")
    if queue is None:
        return door(client, "job_list", {"state": state, **args})
    return page(use(client.queue(queue).jobs, state, **args), "jids")


def put_recurring(client, _label, jid, queue, kind, interval_ms, **args):
    use(
        client.queue(queue).put_recurring,
        kind,
        jid=jid,
        **in_seconds({"interval_ms": interval_ms, **args}),
    )
    return "OK"


def recurring_list(client, _label, queue, **args):
    found = use(client.queue(queue).recurring, **args)
    return {"total": found.total, "jobs": [described(one, RECURRING) for one in found]}


def recurring_cancel(client, _label, jids):
    found = client.recurring(jids[0]) if len(jids) == 1 else None
    return int(found.cancel()) if found else door(client, "recurring_cancel", {"jids": jids})


def of_throttle(act):
    def method(client, _label, *, id=None, queue=None, **args):
        if (id is None) == (queue is None):
            raise NoPlaceError("a throttle has either an id or a queue")
        return use(
            act,
            client.throttle(id) if queue is None else client.queue(queue).throttle,
            **in_seconds(args),
        )

    return method


def worker_jobs(client, _label, worker, **args):
    found = use(client.worker_jobs, worker, **args)
    return {"total": found.total, "stalled": found.stalled, "jids": found.jids}


def setting(client, _label, name, queue=None):
    return client.config.get(name, queue=queue) * (1000 if name in SPANS else 1)


def change_setting(client, _label, name, value, queue=None):
    spoken = isinstance(value, (int, float)) and name in SPANS
    client.config.set(name, value / 1000 if spoken else value, queue=queue)


def settings(client, _label):
    def spans_in_ms(some):
        return {name: value * 1000 if name in SPANS else value for name, value in some.items()}

    every = client.config.all()
    queues = {queue: spans_in_ms(own) for queue, own in every["queues"].items()}
    return {
        "values": spans_in_ms(every["values"]),
        "defaults": spans_in_ms(every["defaults"]),
        "queues": queues,
    }


def check(client, _label, cursor="", **options):
    if cursor:  # the method goes from the beginning to the end
        return door(client, "check", {"cursor": cursor, **options})
    return {
        "cursor": "",
        "violations": [{**one, "repaired": int(one["repaired"])} for one in use(client.check, **options)],
    }


def ok(_nothing):
    return "OK"


METHODS = {
    "check": check,
    "close": lambda client, _label: client.close(),
    "config_all": settings,
    "config_get": setting,
    "config_set": change_setting,
    "config_unset": lambda client, _label, name, queue=None: ok(client.config.unset(name, queue=queue)),
    "failure_groups": lambda client, _label, **at: page(use(client.failures, **at), "groups"),
    "failure_jobs": lambda client, _label, group, **at: page(use(client.failed, group, **at), "jids"),
    "failure_unfail": lambda client, _label, group, **args: use(client.unfail, group, **args),
    "job_cancel": lambda client, _label, jids: client.cancel(jids),
    "job_depend": of_job("job_depend", lambda job, on, **args: use(job.depend, *on, **args)),
    "job_explain": lambda client, _label, jid: in_ms(client.explain(jid)),
    "job_get": lambda client, _label, jid: viewed(client.job(jid)),
    "job_get_many": lambda client, _label, jids: {
        "jobs": [viewed(job) for job in client.jobs(jids)],
        "rest": [],
    },
    "job_heartbeat": heartbeat,
    "job_list": listed,
    "job_log": log,
    "job_prioritize": of_job("job_prioritize", lambda job, priority: ok(job.prioritize(priority))),
    "job_progress": of_held("job_progress", lambda job, progress, note="": ok(job.progress(progress, note))),
    "job_requeue": of_job("job_requeue", lambda job, **args: use(job.requeue, **args)),
    "job_save": of_held("job_save", lambda job, data: job.heartbeat(data=data) * 1000),
    "job_tag": of_job("job_tag", lambda job, tags: job.tag(*tags)),
    "job_timeout": of_job("job_timeout", lambda job: job.timeout()),
    "job_track": lambda client, _label, jids: client.track(jids),
    "job_tracked": lambda client, _label, **at: page(use(client.tracked, **at), "jids"),
    "job_undepend": of_job("job_undepend", lambda job, on=(), **args: use(job.undepend, *on, **args)),
    "job_untag": of_job("job_untag", lambda job, tags: job.untag(*tags)),
    "job_untrack": lambda client, _label, jids: client.untrack(jids),
    "pattern_get": lambda client, _label: client.patterns.get(),
    "pattern_set": lambda client, _label, **lists: ok(use(client.patterns.set, **lists)),
    "queue_counts": lambda client, _label, queue: client.queue(queue).counts(),
    "queue_forget": of_queue("queue_forget", lambda queue: queue.forget()),
    "queue_length": lambda client, _label, queue: client.queue(queue).length(),
    "queue_list": lambda client, _label, **at: named(use(client.queues, **at), "queues", "queue"),
    "queue_pause": of_queue("queue_pause", lambda queue: queue.pause()),
    "queue_peek": lambda client, _label, queue, **at: {
        "jobs": [viewed(job) for job in use(client.queue(queue).peek, **at)],
        "rest": [],
    },
    "queue_put": put,
    "queue_reserve": reserve,
    "queue_stats": lambda client, _label, queue, **day: in_ms(use(client.queue(queue).stats, **day)),
    "queue_unpause": of_queue("queue_unpause", lambda queue: queue.unpause()),
    "recurring_cancel": recurring_cancel,
    "recurring_get": of_recurring("recurring_get", lambda one: described(one, RECURRING)),
    "recurring_list": recurring_list,
    "recurring_pause": of_recurring("recurring_pause", lambda one: int(one.pause())),
    "recurring_put": put_recurring,
    "recurring_resume": of_recurring("recurring_resume", lambda one: int(one.resume())),
    "recurring_tag": of_recurring("recurring_tag", lambda one, tags: one.tag(*tags)),
    "recurring_untag": of_recurring("recurring_untag", lambda one, tags: one.untag(*tags)),
    "recurring_update": of_recurring("recurring_update", lambda one, **args: ok(use(one.update, **args))),
    "sweep": lambda client, _label, **limit: in_ms(use(client.sweep, **limit)),
    "tag_jobs": lambda client, _label, tag, **at: page(use(client.tagged, tag, **at), "jids"),
    "tag_list": lambda client, _label, **at: page(use(client.tags, **at), "tags"),
    "throttle_delete": of_throttle(lambda throttle: int(throttle.delete())),
    "throttle_get": of_throttle(lambda throttle: in_ms(throttle.counts())),
    "throttle_holders": of_throttle(lambda throttle, **at: page(use(throttle.holders, **at), "jids")),
    "throttle_list": lambda client, _label, **at: page(use(client.throttles, **at), "throttles"),
    "throttle_pending": of_throttle(lambda throttle, **at: page(use(throttle.pending, **at), "jids")),
    "throttle_release": of_throttle(lambda throttle, jid: int(throttle.release(jid))),
    "throttle_set": of_throttle(lambda throttle, limit, **args: ok(use(throttle.set, limit, **args))),
    "worker_deregister": lambda client, _label, workers: client.deregister(workers),
    "worker_jobs": worker_jobs,
    "worker_order": lambda client, _label, **args: use(client.order, **args),
    "worker_list": lambda client, _label, **at: named(use(client.workers, **at), "workers", "worker"),
    **{f"job_{verb}": end(verb) for verb in ("complete", "fail", "retry", "snooze", "release")},
}


# What Python has no method for, and why.
BY_DOOR = {
    "engine_version": "is the core's and the tools' own: a program has no use for it",
    "queue_ready": "is spoken by the worker runtime alone",
    "worker_lost": "is for who watches over processes",
    "worker_pulse": "is spoken by the worker runtime alone",
    "worker_turn": "is spoken by the worker runtime alone",
}


def perform(label, client, operation, args):
    """By the method. Arguments that it has no place for go through the door, which must refuse them too."""
    method = METHODS.get(operation)
    if method is None:
        return without_method(client, operation, args)
    try:
        return use(method, client, label, **args)
    except NoPlaceError:
        door(client, operation, args)
        raise


def without_method(client, operation, args):
    """Through the door, when that is meant so or nobody knows the operation; a forgotten method fails."""
    if operation in BY_DOOR:
        return door(client, operation, args)
    try:
        door(client, operation, args)
    except manyhands.UnknownOperation:
        raise
    except manyhands.Error:
        pass
    raise NotImplementedError(f"Python has no method for {operation}")


def answer(label, options, operation, args):
    try:
        if label not in clients:
            clients[label] = manyhands.Client(**in_seconds(json.loads(options)))
        return {"reply": perform(label, clients[label], operation, json.loads(args))}
    except manyhands.Error as error:
        names = ("code", "name", "message", "operation", "jid", "reason", "retryable")
        return {"error": {name: getattr(error, name) for name in names}}
    except Exception as error:  # noqa: BLE001 - the runner tells it from one of ours by its name
        return {"error": {"name": type(error).__name__, "message": str(error)}}


if __name__ == "__main__":
    for line in sys.stdin:
        print(
            json.dumps(answer(*line.rstrip("\n").split("\t")), separators=(",", ":")),
            flush=True,
        )
