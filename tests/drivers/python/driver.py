"""Answers the scenario runner through the Python package's public surface. The protocol: tests/README.md."""

import json
import sys

import manyhands

SECONDS = {"at", "put_at", "due_at", "lease_until", "run", "mean", "deviation", "p50", "p99"}
SPANS = {"heartbeat", "grace-period", "jobs-history", "stats-history"}
TAKEN = "jid kind queue data priority retries remaining token put_at worker tags route".split()
VIEWED = [*TAKEN, *"state stalled result due_at lease_until failure history".split()]
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


def put(client, jobs):
    jobs = [in_seconds(job) for job in jobs]
    queue = client.queue([job.pop("queue") for job in jobs][0])
    placed = [queue.put(jobs[0].pop("kind"), jobs[0].pop("data", None), **jobs[0])] if len(jobs) == 1 else queue.put_many(jobs)
    return [{"jid": one.jid, "outcome": one.outcome} for one in placed]


def reserve(label, client, queues, worker=None, limit=1):
    jobs = client.queue(queues[0]).reserve(limit, worker=worker)
    held.update({(label, job.jid, job.token): job for job in jobs})
    return {"jobs": [described(job, TAKEN) for job in jobs]}


def end(label, verb, jid, token, **fields):
    if verb == "heartbeat":
        return [{"jid": jid, "lease_ms": held[label, jid, token].heartbeat() * 1000}]
    return [{"jid": jid, "outcome": getattr(held.pop((label, jid, token)), verb)(**in_seconds(fields))}]


def config(client, verb, name, unit="ms", **fields):
    factor = 1000 if name in SPANS and unit == "ms" else 1
    if isinstance(fields.get("value"), (int, float)):
        fields["value"] /= factor
    value = getattr(client.config, verb)(name, **fields)
    return value * factor if verb == "get" and factor > 1 else value


def perform(label, client, operation, args):
    noun, _, verb = operation.partition("_")
    jobs = args.get("jobs", [])
    if operation == "queue_put" and len({job["queue"] for job in jobs}) == 1:
        return put(client, jobs)
    if operation == "queue_reserve" and len(args["queues"]) == 1:
        return reserve(label, client, **args)
    if operation in ("queue_counts", "queue_stats"):
        return in_ms(getattr(client.queue(args.pop("queue")), verb)(**args))
    if operation == "job_get":
        job = client.job(**args)
        return job and described(job, VIEWED)
    # A Job measures its run itself, and ends once: what tells run_ms or a spent token goes through the door.
    if noun == "job" and len(jobs) == 1 and "run_ms" not in jobs[0] and (label, jobs[0]["jid"], jobs[0]["token"]) in held:
        return end(label, verb, **jobs[0])
    if noun == "config":
        return config(client, verb, **args)
    return client.close() if operation == "close" else client.call(operation, args)


def answer(label, options, operation, args):
    try:
        if label not in clients:
            clients[label] = manyhands.Client(**in_seconds(json.loads(options)))
        return {"reply": perform(label, clients[label], operation, json.loads(args))}
    except manyhands.Error as error:
        names = ("code", "name", "message", "operation", "jid", "reason", "retryable")
        return {"error": {name: getattr(error, name) for name in names}}
    except Exception as error:  # the runner tells it from one of ours by its name
        return {"error": {"name": type(error).__name__, "message": str(error)}}


for line in sys.stdin:
    print(json.dumps(answer(*line.rstrip("\n").split("\t"))), flush=True)
