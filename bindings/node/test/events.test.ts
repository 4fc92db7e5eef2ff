// Q15: what happens to jobs is heard on a connection of its own.
import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { Worker as Thread } from "node:worker_threads";
import { Client, type Event, type Events, InvalidArgument, Worker } from "manyhands";
import { clientOf, freshClient, redis, start, stopClock, url } from "./server.js";

async function take(events: Events, count: number): Promise<Event[]> {
  const heard: Event[] = [];
  while (heard.length < count) {
    const { value } = await events.next();
    heard.push(value as Event);
  }
  return heard;
}

const told = ({ event, jid }: Event) => `${event} ${jid}`;

/** How many listen at the server. */
async function listeners(): Promise<number> {
  const list = await redis("CLIENT", "LIST", "TYPE", "pubsub");
  return list.split("\n").filter((line) => line !== "").length;
}

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) {
    await setImmediate();
  }
}

test("what happens to tracked jobs is heard, in order", async () => {
  const client = freshClient();
  await stopClock(client);
  const queue = client.queue("q");
  await using events = await client.events().ready();
  await queue.putMany([
    { kind: "k", jid: "a" },
    { kind: "k", jid: "other" },
  ]);
  await client.track(["a"]);
  const [job] = await queue.reserve(1, { worker: "w:1:0" });
  await job?.complete();
  await client.untrack(["a"]);
  const heard = await take(events, 4);
  assert.deepEqual(heard.map(told), ["track a", "reserved a", "completed a", "untrack a"]);
  const { at, ...reserved } = heard[1] as Event;
  assert.deepEqual(reserved, { event: "reserved", jid: "a", queue: "q", kind: "k", worker: "w:1:0" });
  assert.ok(Math.abs(at - Date.now()) < 60_000);
  assert.equal(heard[2]?.worker, null);
});

test("all jobs are heard when the setting says so; chosen events alone; several take turns", async () => {
  const client = freshClient();
  await client.config.set("events", "all");
  const events = await client.events({ what: ["put", "cancelled"] }).ready();
  const waits = [events.next(), events.next(), events.next()];
  await client.queue("q").putMany([
    { kind: "k", jid: "a" },
    { kind: "k", jid: "b" },
  ]);
  await client.queue("q").reserve();
  await client.cancel(["a"]);
  const heard = await Promise.all(waits);
  assert.deepEqual(
    heard.map(({ value }) => told(value as Event)),
    ["put a", "put b", "cancelled a"],
  );
  await events.close();
});

test("a worker's channel tells what becomes of its jobs", async () => {
  const client = freshClient();
  await client.queue("q").put("k", 1, { jid: "a" });
  const worker = new Worker(client, { queues: ["q"] });
  worker.perform("k", async (job) => {
    const events = await client.events({ worker: job.worker as string }).ready();
    await client.cancel(["a"]);
    const { value } = await events.next();
    assert.deepEqual([value?.event, value?.jid, value?.worker], ["cancelled", "a", job.worker]);
    await events.close();
    worker.stop();
  });
  await worker.run();
});

test("many wait without holding up calls or each other", async () => {
  const client = freshClient();
  await client.config.set("events", "all");
  const all = await Promise.all(Array.from({ length: 12 }, () => client.events({ what: ["put"] }).ready()));
  const waits = all.map((events) => events.next());
  await client.queue("q").put("k", 1, { jid: "a" });
  for (const { value } of await Promise.all(waits)) {
    assert.equal(value?.jid, "a");
  }
  await Promise.all(all.map((events) => events.close()));
});

test("what happens while the connection is away is heard afterwards", async () => {
  const client = freshClient();
  await client.config.set("events", "all");
  const events = await client.events({ what: ["put"] }).ready();
  for (const jid of ["before", "meanwhile", "after"]) {
    if (jid === "meanwhile") {
      await redis("CLIENT", "KILL", "TYPE", "pubsub");
    }
    await client.queue("q").put("k", 1, { jid });
    assert.deepEqual((await take(events, 1)).map(told), [`put ${jid}`]);
  }
  assert.equal(events.gaps, 0);
  await events.close();
});

test("what cannot be known is counted", async () => {
  const client = freshClient();
  await client.queue("q").put("k", 1, { jid: "a" });
  const events = await client.events().ready();
  await redis("CLIENT", "KILL", "TYPE", "pubsub");
  await client.track(["a"]);
  const next = events.next();
  await until(() => events.gaps === 1);
  await client.untrack(["a"]);
  assert.equal((await next).value?.event, "untrack");
  await events.close();
});

test("close, return and the client's close end the wait; the connection goes", async () => {
  const client = freshClient();
  const other = clientOf(client.namespace);
  await until(async () => (await listeners()) === 0);
  const closed = client.events();
  const returned = client.events();
  const left = other.events();
  const waits = [closed.next(), returned.next(), left.next()];
  await closed.ready();
  await setImmediate();
  await Promise.all([closed.ready(), returned.ready(), left.ready()]);
  assert.equal(await listeners(), 3);
  await closed.close();
  await returned.return();
  await other.close();
  for (const wait of waits) {
    assert.deepEqual(await wait, { done: true, value: undefined });
  }
  assert.deepEqual([closed.closed, returned.closed, left.closed], [true, true, true]);
  assert.deepEqual(await closed.next(), { done: true, value: undefined });
  await closed.close();
  await until(async () => (await listeners()) === 0);
});

test("a subscription that fails says so, once it is asked", async () => {
  const nowhere = new Client("unix:///nowhere/redis.sock", { timeout: 500 });
  nowhere.events();
  await assert.rejects(nowhere.events().ready(), { code: 300 });
  const events = nowhere.events();
  await assert.rejects(events.next(), { code: 300, operation: "events_open" });
  assert.deepEqual(await events.next(), { done: true, value: undefined });
  const client = new Client(url);
  await client.close();
  await assert.rejects(client.events().next(), { code: 107, name: "CLOSED" });

  await redis("ACL", "SETUSER", "deaf", "on", "nopass", "~*", "+@all", "resetchannels");
  const deaf = new Client(`${url}?user=deaf&password=x`);
  await assert.rejects(
    (async () => {
      for await (const _ of deaf.events()) {
        assert.fail("heard something");
      }
    })(),
    { code: 305, name: "DENIED" },
  );
  await deaf.close();
});

test("what cannot be heard is refused by name", () => {
  const client = freshClient();
  // biome-ignore lint/suspicious/noExplicitAny: what types would not let through
  const untyped = (value: unknown) => value as any;
  const table: [RegExp, object][] = [
    [/^what\[1\] "complete" is no event: put, /, { what: ["put", "complete"] }],
    [/^what /, { what: "put" }],
    [/^worker is empty/, { worker: "" }],
    [/^worker /, { worker: 5 }],
    [/^option jids is unknown/, { jids: ["a"] }],
  ];
  for (const [message, options] of table) {
    assert.throws(
      () => client.events(untyped(options)),
      (error) => {
        assert.ok(error instanceof InvalidArgument, String(error));
        assert.match(error.message, message);
        assert.equal(error.operation, "events_open");
        return true;
      },
    );
  }
});

test("waiting keeps the process alive, a subscription alone does not", async () => {
  const client = freshClient();
  await client.config.set("events", "all");
  const program = start("listen", client);
  await program.line("listening");
  await client.queue("q").put("k", 1, { jid: "first" });
  await program.line("put first");
  await client.queue("q").put("k", 1, { jid: "last" });
  await program.line("left");
  assert.equal(await program.ended, 0);
});

test("a worker_thread that is terminated listens no more", { timeout: 30_000 }, async () => {
  const client = freshClient();
  const program = new URL("./programs/thread-events.js", import.meta.url);
  const thread = new Thread(program, { workerData: [url, client.namespace] });
  await once(thread, "message");
  assert.equal(await thread.terminate(), 1);
  await until(async () => (await listeners()) === 0);
});
