import assert from "node:assert/strict";
import { once } from "node:events";
import { readdir, readFile } from "node:fs/promises";
import { test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { Worker as Thread } from "node:worker_threads";
import { Client, type Job, Worker } from "manyhands";
import { freshClient, freshFolder, otherAddress, redis, signalServer, start, stopClock, url } from "./server.js";

test("calls and workers that wait leave the event loop and libuv's threads free", async () => {
  const client = freshClient();
  const workers = Array.from({ length: 8 }, () => new Worker(client, { queues: ["q"] }).perform("k", () => {}));
  const runs = workers.map((worker) => worker.run());
  await client.queue("q").counts();
  signalServer("SIGSTOP");
  let answered = 0;
  const counts = Array.from({ length: 16 }, async () => {
    await client.queue("q").counts();
    answered += 1;
  });
  for (let tick = 0; tick < 1000; tick += 1) {
    await setImmediate();
  }
  for (let file = 0; file < 16; file += 1) {
    assert.match(await readFile(new URL(import.meta.url), "utf8"), /libuv/);
  }
  assert.equal(answered, 0, "all of this happened while every call was waiting");
  signalServer("SIGCONT");
  await Promise.all(counts);
  await Promise.all(workers.map((worker) => worker.stop()));
  await Promise.all(runs);
});

test("an outage holds up neither the clients of other servers nor a close", async () => {
  const healthy = freshClient();
  const address = await otherAddress();
  const away = new Client(address.url, { namespace: healthy.namespace, timeout: 20_000 });
  await away.queue("q").counts();
  address.close();
  let ended = 0;
  const calls = Array.from({ length: 20 }, async () => {
    await away
      .queue("q")
      .counts()
      .catch(() => {});
    ended += 1;
  });
  await healthy.queue("q").counts();
  await healthy.close();
  assert.equal(ended, 0, "all of this happened while every other call was waiting");
  const began = performance.now();
  await away.close();
  await Promise.all(calls);
  assert.ok(performance.now() - began < 15_000, "not the 20 s of the timeout");
});

/** How many threads of this process wait for calls, or for answers. */
async function callThreads(): Promise<number> {
  const tasks = await readdir("/proc/self/task");
  const names = tasks.map((task) => readFile(`/proc/self/task/${task}/comm`, "utf8").catch(() => "gone"));
  return (await Promise.all(names)).filter((name) => name.startsWith("manyhands-call")).length;
}

test("threads that an outage took are given back", { skip: process.platform !== "linux" }, async () => {
  const clients = Array.from({ length: 4 }, freshClient);
  await Promise.all(clients.map((client) => client.queue("q").counts()));
  signalServer("SIGSTOP");
  const calls = clients.flatMap((client) => Array.from({ length: 20 }, () => client.queue("q").counts()));
  while ((await callThreads()) < 32) {}
  const most = await callThreads();
  signalServer("SIGCONT");
  assert.ok(most <= 40, `${most}: eight for each client, and eight that wait`);
  await Promise.all(calls);
  while ((await callThreads()) > 8) {}
});

test("the last user of a private server leaves it on a thread", async () => {
  const dir = await freshFolder();
  const began = performance.now();
  const program = start("leave", freshClient(), ["--expose-gc"], `embedded:${dir}`);
  await program.line("the event loop turns");
  assert.ok(performance.now() - began < 20_000, "not the 30 s that a server has for its end");
  await program.line("the server is gone");
  assert.equal(await program.ended, 0);
});

test("the job of a worker that is killed goes to another", async () => {
  const client = freshClient();
  const move = await stopClock(client);
  const { jid } = await client.queue("q").put("hold");
  const killed = start("worker", client);
  await killed.line("holding");
  killed.child.kill("SIGKILL");
  assert.equal(await killed.ended, "SIGKILL");
  assert.equal((await client.job(jid))?.state, "running");
  await move(60_000);
  assert.deepEqual(await client.queue("q").reserve(), [], "its grace period begins");
  await move(10_000);
  const worker = new Worker(client, { queues: ["q"] });
  const again = new Promise<Job>((resolve) => worker.perform("hold", resolve));
  const run = worker.run();
  assert.equal((await again).jid, jid);
  await worker.stop();
  await run;
  const job = await client.job(jid);
  assert.equal(job?.state, "completed");
  assert.ok(job?.history.some((event) => event.what === "lost"));
});

test("TERM leaves a hanging handler 2 s, also after QUIT, and gives its job back", async () => {
  const client = freshClient();
  const { jid } = await client.queue("q").put("hold");
  const program = start("worker", client);
  await program.line("holding");
  const began = performance.now();
  program.child.kill("SIGQUIT");
  program.child.kill("SIGINT");
  await program.line("stopped");
  const took = performance.now() - began;
  assert.ok(took > 1_900 && took < 15_000, `${took} ms, not the 25 s of shutdownTimeout`);
  assert.equal(await program.ended, 0);
  const job = await client.job(jid);
  assert.deepEqual([job?.state, job?.remaining], ["waiting", job?.retries]);
});

test("process.exit with a live worker is clean: finished jobs are stored, unstarted ones given back", async () => {
  const client = freshClient();
  const queue = client.queue("q");
  await queue.putMany(Array.from({ length: 500 }, () => ({ kind: "exit" })));
  const program = start("worker", client);
  assert.equal(await program.ended, 7);
  const counts = await queue.counts();
  const { run } = await queue.stats();
  assert.equal(counts.running, 0);
  assert.ok(run.count > 0);
  assert.equal(counts.waiting + run.count, 500);
});

test("an uncaught error, and a rejection that nobody handles, end the process as ever", async () => {
  for (const kind of ["throw", "reject"]) {
    const client = freshClient();
    await client.queue("q").put(kind);
    const program = start("worker", client);
    assert.equal(await program.ended, 1, kind);
  }
});

test("a worker works on a worker_thread, and takes nothing once that is gone", { timeout: 30_000 }, async () => {
  const client = freshClient();
  const queue = client.queue("q");
  const program = new URL("./programs/thread.js", import.meta.url);
  const threads = Array.from({ length: 3 }, () => new Thread(program, { workerData: [url, client.namespace] }));
  await queue.put("k", 1);
  assert.deepEqual(await Promise.race(threads.map((thread) => once(thread, "message"))), [1]);
  const [first, ...others] = threads as [Thread, ...Thread[]];
  assert.equal(await first.terminate(), 1);
  const ends = Promise.all(others.map((thread) => once(thread, "exit")));
  await queue.put("stop");
  await queue.put("stop");
  assert.deepEqual(await ends, [[0], [0]]);
  assert.match(await redis("INFO", "clients"), /^blocked_clients:0\r$/m, "nobody waits for jobs");
});

test("clients, queues, jobs, workers and subscriptions may be left to the garbage collector", async () => {
  const client = freshClient();
  const before = (await redis("CLIENT", "LIST")).split("\n").length;
  const program = start("collect", client, ["--expose-gc"]);
  await program.line("completed 60");
  await program.line("collected");
  assert.ok((await redis("CLIENT", "LIST")).split("\n").length < before + 15);
  assert.equal(await program.ended, 0);
});
