"""Answers the scenario runner through the Python package's public surface. The protocol: tests/README.md."""

import json
import sys

import manyhands

SECONDS = {"at", "put_at", "due_at", "lease_until", "run", "mean", "deviation", "p50", "p99"}
SPANS = {"heartbeat", "grace-period", "jobs-history", "stats-history"}
NAMED = [
    "jid",
    "kind",
    "queue",
    "data",
    "priority",
    "retries",
    "remaining",
    "token",
    "put_at",
    "worker",
    "tags",
    "route",
]
VIEWED = [*NAMED, "state", "stalled", "result", "due_at", "lease_until", "failure", "history"]
clients, held = {}, {}  # open clients by label; reserved jobs that nobody ended, by client, jid and token


def in_ms(value):
    """A reply in the package's units as the scenarios write it."""
    if isinstance(value, dict):
        return dict(member_in_ms(name, member) for name, member in value.items())
    return [in_ms(item) for item in value] if isinstance(value, list) else value


def member_in_ms(name, value):
    if name == "histogram":
        return name, [[upper * 1000, count] for upper, count in value]
    if name in SECONDS and not isinstance(value, dict):
        return f"{name}_ms", None if value is None else value * 1000
    return name, in_ms(value)


def in_seconds(fields):
    """An operation's arguments as a method's."""
    spans = {name[:-3]: fields[name] / 1000 for name in fields if name.endswith("_ms")}
    return {name: value for name, value in fields.items() if not name.endswith("_ms")} | spans


def described(job, names):
    # Data and result are the user's: their members are not ours to convert.
    own = {name: getattr(job, name) for name in names if name in ("data", "result")}
    return in_ms({name: getattr(job, name) for name in names if name not in own}) | own


def put(client, _label, jobs):
    if len({job["queue"] for job in jobs}) != 1:
        return client.call("queue_put", {"jobs": jobs})
    queue = client.queue(jobs[0]["queue"])
    items = [in_seconds({name: value for name, value in job.items() if name != "queue"}) for job in jobs]
    placed = queue.put_many(items) if len(items) > 1 else [queue.put(**items[0])]
    return [{"jid": one.jid, "outcome": one.outcome} for one in placed]


def reserve(client, label, **args):
    if len(args["queues"]) != 1:
        return client.call("queue_reserve", args)
    jobs = client.queue(args["queues"][0]).reserve(args.get("limit", 1), worker=args.get("worker"))
    held.update({(label, job.jid, job.token): job for job in jobs})
    return {"jobs": [described(job, NAMED) for job in jobs]}


def look_up(client, _label, jid):
    job = client.job(jid)
    return job and described(job, VIEWED)


def end(verb):
    """Methods of Job. It measures its run itself, and ends once: run_ms and spent tokens go through the door."""

    def method(client, label, jobs):
        key = len(jobs) == 1 and (label, jobs[0]["jid"], jobs[0]["token"])
        if key not in held or "run_ms" in jobs[0]:
            return client.call(f"job_{verb}", {"jobs": jobs})
        fields = in_seconds({name: value for name, value in jobs[0].items() if name not in ("jid", "token")})
        return [{"jid": key[1], "outcome": getattr(held.pop(key), verb)(**fields)}]

    return method


def heartbeat(client, label, jobs):
    key = len(jobs) == 1 and (label, jobs[0]["jid"], jobs[0]["token"])
    if key not in held:
        return client.call("job_heartbeat", {"jobs": jobs})
    return [{"jid": key[1], "lease_ms": held[key].heartbeat() * 1000}]


def setting(client, _label, name, queue=None):
    return client.config.get(name, queue=queue) * (1000 if name in SPANS else 1)


def change_setting(client, _label, name, value, queue=None):
    spoken = isinstance(value, (int, float)) and name in SPANS
    client.config.set(name, value / 1000 if spoken else value, queue=queue)


METHODS = {
    "queue_put": put,
    "queue_reserve": reserve,
    "queue_counts": lambda client, _label, queue: client.queue(queue).counts(),
    "queue_stats": lambda client, _label, queue, **day: in_ms(client.queue(queue).stats(**day)),
    "job_get": look_up,
    "job_heartbeat": heartbeat,
    "config_get": setting,
    "config_set": change_setting,
    "close": lambda client, _label: client.close(),
    **{f"job_{verb}": end(verb) for verb in ("complete", "fail", "retry", "snooze", "release")},
}


def perform(label, client, operation, args):
    method = METHODS.get(operation)
    return method(client, label, **args) if method else client.call(operation, args)


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


for line in sys.stdin:
    print(json.dumps(answer(*line.rstrip("\n").split("\t"))), flush=True)
