"""A client of Manyhands from nothing but docs/protocol.md: puts a job, takes it and completes it.

    python3 stranger.py /path/to/redis.sock

Any program of Manyhands must have been there before, as it brings the engine.
"""

import json
import os
import secrets
import socket
import sys
import time


class Redis:
    """One connection, one caller: calls one after the other, each with a number of its own."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)
        self.replies = self.socket.makefile("rb")
        self.caller, self.number = secrets.token_hex(8), 0
        self.command("HELLO", "3")

    def command(self, *words):
        words = [word.encode() for word in words]
        self.socket.sendall(b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words))
        return self.reply()

    def call(self, operation, *arguments):
        self.number += 1
        return self.command("FCALL", f"mh1_{operation}", "1", "{mh}:meta", self.caller, str(self.number), *arguments)

    def reply(self):
        line = self.replies.readline().rstrip(b"\r\n")
        kind, rest = line[:1], line[1:]
        if kind == b"-":
            raise RuntimeError(rest.decode().partition(" script: ")[0])
        if kind in (b"$", b"="):
            text = self.replies.read(int(rest) + 2)[:-2].decode()
            return json.loads(text[4:]) if kind == b"=" else text
        if kind == b"%":
            return {self.reply(): self.reply() for _ in range(int(rest))}
        if kind in b"*~":
            return [self.reply() for _ in range(int(rest))]
        plain = {b"+": str, b":": int, b",": float, b"#": lambda text: text == "t", b"_": lambda _: None}
        return plain[kind](rest.decode())


redis = Redis(sys.argv[1])
worker = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
jid = secrets.token_hex(16)

assert redis.call("queue_put", "mail", "send", "", "1", jid, json.dumps({"to": "é"}, ensure_ascii=False)) == "put"
assert redis.command("BLPOP", "{mh}:wake:mail", "2") == ["{mh}:wake:mail", "1"]
token, next_due_ms, queues_version, *group = redis.call("queue_reserve", worker, "1", "0", "mail")
begun = time.monotonic()
queue, lease_ms, extra, count, taken, about, *more = group
put_at_ms, kind, place, data = about.split("\0", 3)
data = data or more[0]  # large data is a value of its own
assert (queue, kind, count, taken, json.loads(data)) == ("mail", "send", 1, jid, {"to": "é"})

run_ms = str(round((time.monotonic() - begun) * 1000))
completion = [token, "", run_ms, json.dumps({"sent": True}), "1", jid]
assert redis.call("job_complete", *completion) == "completed"
redis.number -= 1  # as if the answer had been lost: the same call again changes nothing, and answers the same
assert redis.call("job_complete", *completion) == "completed"
assert redis.call("job_complete", *completion) == "LOCK_LOST finished"

job = redis.call("job_get", json.dumps({"jid": jid}))
assert (job["state"], job["data"], job["result"]) == ("completed", {"to": "é"}, {"sent": True})
print(jid)
