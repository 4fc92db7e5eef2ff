import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { EventEmitter, once } from "node:events";
import { test } from "node:test";
import { Client, Closed, type Job, Worker, WrongState } from "manyhands";
import { freshClient, redis, signalServer, url, written } from "./server.js";

test("jobs are performed, their results stored, their route followed", async () => {
  const client = freshClient();
  const { jid } = await client.queue("first").put("double", { n: 4 }, { route: ["second"] });
  const worker = new Worker(client, { queues: ["first", "second"] });
  worker.perform<{ n: number }>("double", async (job) => {
    job.data = { n: job.data.n * 2 };
    if (job.queue === "second") {
      worker.stop();
      return job.data;
    }
  });
  await worker.run();
  const job = await client.job(jid);
  assert.deepEqual([job?.state, job?.result], ["completed", { n: 16 }]);
  assert.equal(job?.history.find((event) => event.what === "reserved")?.worker, worker.name);
});

test("a worker that waits starts a job when it is put", async () => {
  const client = freshClient();
  const worker = new Worker(client, { queues: ["q"] });
  const started = new Promise<Job>((resolve) => worker.perform("k", resolve));
  const run = worker.run();
  const { jid } = await client.queue("q").put("k");
  assert.equal((await started).jid, jid);
  await worker.stop();
  await run;
  assert.equal((await client.job(jid))?.state, "completed");
});

test("a worker sleeps until it is called, but for ten looks a second while a handler is under way", async (t) => {
  const pending = new Map<unknown, number | undefined>();
  const told = new EventEmitter();
  const { setTimeout, clearTimeout } = globalThis;
  t.mock.method(globalThis, "setTimeout", (act: () => void, ms?: number) => {
    const timer = setTimeout(() => {
      pending.delete(timer);
      act();
    }, ms);
    pending.set(timer, ms);
    return timer;
  });
  t.mock.method(globalThis, "clearTimeout", (timer?: NodeJS.Timeout) => {
    clearTimeout(timer);
    pending.delete(timer);
    setImmediate(() => told.emit("changed"));
  });
  const until = async (...timers: number[]) => {
    while ([...pending.values()].join() !== timers.join()) {
      await once(told, "changed");
    }
  };
  const client = freshClient();
  const worker = new Worker(client, { queues: ["q"] });
  worker.perform("k", () => once(told, "end"));
  const run = worker.run();
  await until();
  await client.queue("q").put("k");
  await until(100);
  told.emit("end");
  await until();
  assert.equal(await client.order(worker.name, "stop"), 1);
  await run;
  const asked = new Worker(client, { queues: ["q"], strategy: (queues) => queues });
  const asking = asked.run();
  await until(1_000);
  await asked.stop();
  await asking;
  await until();
});

test("many jobs are drained, as many at once as asked and no more", async () => {
  const client = freshClient();
  const queue = client.queue("q");
  const jobs = 3000;
  for (let from = 0; from < jobs; from += 1000) {
    await queue.putMany(Array.from({ length: 1000 }, (_, index) => ({ kind: "k", data: from + index })));
  }
  const worker = new Worker(client, { queues: ["q"], concurrency: 20 });
  const seen: number[] = [];
  let most = 0;
  worker.perform<number>("k", async (job) => {
    most = Math.max(most, worker.running);
    await new Promise(setImmediate);
    seen.push(job.data);
    if (seen.length === jobs) {
      worker.stop();
    }
  });
  await worker.run();
  assert.equal(new Set(seen).size, jobs);
  assert.equal(seen.length, jobs);
  assert.ok(most > 1 && most <= 20, `${most} at once`);
  const counts = await queue.counts();
  assert.deepEqual([counts.waiting, counts.running], [0, 0]);
  assert.equal((await queue.stats()).run.count, jobs);
});

test("a stop leaves a handler that takes too long, and its job to its lease", async () => {
  const client = freshClient();
  const { jid } = await client.queue("q").put("k");
  const worker = new Worker(client, { queues: ["q"], shutdownTimeout: 50 });
  const never = new Promise(() => {});
  const started = new Promise<void>((resolve) => {
    worker.perform("k", () => {
      resolve();
      return never;
    });
  });
  const run = worker.run();
  await started;
  await worker.stop();
  await run;
  assert.equal(worker.running, 1);
  assert.equal((await client.job(jid))?.state, "running");
});

test("a stop that cannot store what was done says so", async () => {
  const client = freshClient();
  const { jid } = await client.queue("q").put("k");
  const worker = new Worker(client, { queues: ["q"], shutdownTimeout: 100 });
  worker.perform("k", () => {
    signalServer("SIGSTOP");
    worker.stop();
  });
  await assert.rejects(worker.run(), { code: 300, name: "UNAVAILABLE", retryable: true });
  signalServer("SIGCONT");
  assert.ok(await client.job(jid), "the job is not lost");
});

test("a worker that cannot work says so", async () => {
  await redis("ACL", "SETUSER", "guest", "on", "nopass", "~*", "-@all", "+hello", "+ping");
  const client = new Client(`${url}?user=guest&password=x`);
  const worker = new Worker(client, { queues: ["q"] }).perform("k", () => {});
  await assert.rejects(worker.run(), { code: 305, name: "DENIED" });
  await client.close();
});

test("a worker is run once; one that was stopped before returns at once; handlers come first", async () => {
  const client = freshClient();
  const worker = new Worker(client, { queues: ["q"] });
  const run = worker.run();
  assert.throws(() => worker.perform("k", () => {}), WrongState);
  await assert.rejects(worker.run(), (error) => {
    assert(error instanceof WrongState);
    assert.deepEqual([error.message, error.operation], ["the worker runs already", "worker_run"]);
    return true;
  });
  await worker.stop();
  await run;
  await assert.rejects(worker.run(), Closed);
  await client.queue("q").put("k");
  const early = new Worker(client, { queues: ["q"] });
  await early.stop();
  early.perform("k", () => assert.fail("performed"));
  await early.run();
  await assert.rejects(early.run(), Closed);
  assert.equal((await client.queue("q").counts()).waiting, 1);
});

test("a loop of one's own takes jobs, and ends them by their methods", async () => {
  const client = freshClient();
  const queue = client.queue("q");
  const worker = new Worker(client, { queues: ["q"], concurrency: 3 });
  assert.equal(await worker.next({ timeout: 0 }), null);
  await queue.putMany([1, 2, 3].map((data) => ({ kind: "k", data })));
  for (const data of [1, 2, 3]) {
    const job = await worker.next();
    assert.deepEqual([job?.data, worker.running], [data, 1]);
    assert.equal(await job?.complete(data * 2), "completed");
    assert.equal(worker.running, 0);
  }
  assert.throws(() => worker.perform("k", () => {}), WrongState);
  const waiting = [worker.next(), worker.next({ timeout: 3_600_000 }), worker.next()];
  assert.equal(await worker.next({ timeout: 1 }), null, "the others do not hold it up");
  await queue.putMany([4, 5].map((data) => ({ kind: "k", data })));
  const first = (await Promise.race(waiting)) as Job;
  await first.retry(60_000);
  const stopped = worker.stop();
  const jobs = await Promise.all(waiting);
  const second = jobs.find((job) => job !== null && job !== first) as Job;
  assert.equal(jobs.filter((job) => job === null).length, 1, "the third waits until the stop");
  assert.equal(await second.complete(), "completed", "the stop waits for what was taken");
  await stopped;
  assert.equal(await worker.next(), null);
  await assert.rejects(worker.run(), Closed);
  assert.deepEqual([(await queue.counts()).running, (await queue.counts()).waiting], [0, 0]);
});

test("a worker of so many jobs starts no more, and its figures are sent to StatsD", async () => {
  const client = freshClient();
  await client.queue("q").putMany([1, 2, 3, 4].map((data) => ({ kind: "k", data })));
  const socket = createSocket("udp4");
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
  const figures: string[] = [];
  socket.on("message", (message) => figures.push(...message.toString().split("\n")));
  const statsd = { host: "127.0.0.1", port: socket.address().port, key: "tests" };
  const worker = new Worker(client, { queues: ["q"], concurrency: 2, maxJobs: 3, shutdownTimeout: 0, statsd });
  let performed = 0;
  worker.perform("k", async () => {
    // Longer than shutdownTimeout: the last are waited for.
    await client.queue("q").counts();
    performed += 1;
  });
  await worker.run();
  assert.equal(performed, 3);
  assert.equal((await client.queue("q").counts()).waiting, 1);
  const counts = () => figures.filter((figure) => figure === "tests.k.count:1|c").length;
  while (counts() < 3) {
    await once(socket, "message");
  }
  socket.close();
  assert.throws(
    () => new Worker(client, { queues: ["q"], log: "loud" as never }),
    /^INVALID_ARGUMENT: log loud is unknown/,
  );
});

test("a strategy of the program's own says which queues are asked, and in which order", async (t) => {
  const lines = written(t);
  const client = freshClient();
  for (const name of ["a", "b", "c"]) {
    await client.queue(name).putMany([{ kind: "k" }, { kind: "k" }]);
  }
  const asked: (readonly string[])[] = [];
  const performed: string[] = [];
  const worker = new Worker(client, {
    queues: ["*"],
    strategy: (queues) => {
      asked.push(queues);
      const [last] = performed.slice(-1);
      return last === "late"
        ? (null as never)
        : queues.filter((name) => name !== "c").sort(() => (last === "b" ? 1 : -1));
    },
  });
  worker.perform("k", (job) => {
    performed.push(job.queue);
    if (performed.length === 6) {
      worker.stop();
    }
  });
  const run = worker.run();
  while (performed.length < 4) {
    await client.queue("a").counts();
  }
  await client.queue("late").put("k");
  while (performed.length < 5 || lines.length === 0) {
    await client.queue("a").counts();
  }
  await client.queue("late").put("k");
  await run;
  assert.deepEqual(performed.slice(4), ["late", "late"], "a queue that is new while it waits; then the order that was");
  assert.deepEqual(performed.slice(0, 4).sort(), ["a", "a", "b", "b"]);
  assert.equal((await client.queue("c").counts()).waiting, 2, "one that is absent is not asked");
  assert.ok(asked.some((queues) => queues.join() === "a,b,c"));
  assert.equal(lines.length, 1);
  assert.match(
    lines[0] ?? "",
    /^manyhands: the strategy threw INVALID_ARGUMENT: what strategy returns must be an array/,
  );
  assert.throws(
    () => new Worker(client, { queues: ["q"], strategy: "callback" as never }),
    /strategy callback is for a worker whose strategy is a function$/,
  );
});
