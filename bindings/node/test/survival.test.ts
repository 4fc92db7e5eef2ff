// What becomes of jobs when processes, their master, their handlers or Redis fail.
import assert from "node:assert/strict";
import { test } from "node:test";
import { oneOfThreeWithin, ownServer, stopClock } from "./server.js";
import { fate, SINGLE, start, started, TWO, untilState } from "./service.js";

test("a handler that computes keeps its lease for minutes, but outlives neither SHUTDOWN_TIMEOUT nor its process", async () => {
  const service = await start(["--shutdown-timeout", "0.2"]);
  const move = await stopClock(service.client);
  const [jid] = (await service.put("compute")) as [string];
  await service.held();
  let until = 0;
  for (let minute = 0; minute < 3; minute += 1) {
    // The clock stands still until the lease is renewed: only a native thread can have done it.
    for (const begun = until; until <= begun; until = (await service.job(jid)).leaseUntil ?? 0) {}
    await move(59_000);
  }
  assert.deepEqual(await fate(service, jid), ["running", 2]);
  service.signal("SIGQUIT");
  assert.equal(await service.program.ended, 1, "it was killed");
  assert.deepEqual(await fate(service, jid), ["waiting", 2]);
});

test("a handler that computes for several leases and their grace keeps its job, though others ask for jobs all the while", async () => {
  const service = await started([...TWO, "--shutdown-timeout", "0.2"], { INTERVAL: "0.1" });
  const { client } = service;
  const [lease, grace] = [2_000, 1_000];
  await client.config.set("heartbeat", lease);
  await client.config.set("grace-period", grace);
  const completed = await client.events({ what: ["completed"] }).ready();
  const [jid] = (await service.put("compute")) as [string];
  const { pid } = await service.held();
  // Redis's clock says when that time is over.
  const later = await client.queue("q").put("grow", 0, { delay: 3 * lease + grace });
  await client.track([later.jid]);
  await completed.next();
  const { result } = await service.job(later.jid);
  assert.notEqual((result as { pid: number }).pid, pid, "another process takes jobs");
  const { state, remaining, history } = await service.job(jid);
  assert.deepEqual([state, remaining, history.map(({ what }) => what)], ["running", 2, ["put", "reserved"]]);
  completed.close();
  service.signal("SIGQUIT");
  assert.equal(await service.program.ended, 1, "it was killed");
});

test("a single process ends after SHUTDOWN_TIMEOUT whatever its handler does, and gives its job back", async () => {
  const service = await started(["--shutdown-timeout", "0.2"], SINGLE);
  const [jid] = (await service.put("stubborn")) as [string];
  await service.held();
  service.signal("SIGQUIT");
  assert.equal(await service.program.ended, 0);
  assert.deepEqual(await fate(service, jid), ["waiting", 2]);
});

test("a process that is killed costs its job a retry and its neighbours nothing", async (t) => {
  // It runs in the successor, which has to come up; its lease would hold it for an hour.
  await oneOfThreeWithin(t, "from the death to the next run", 1_000, async () => {
    const service = await started(TWO);
    await service.client.config.set("heartbeat", 3_600_000);
    const [jid] = (await service.put("hold")) as [string];
    const first = await service.held();
    const [neighbour] = (await service.put("hold")) as [string];
    const second = await service.held();
    process.kill(first.pid, "SIGKILL");
    await first.ended;
    const killed = performance.now();
    const again = await service.held();
    const took = performance.now() - killed;
    assert.deepEqual([again.jid, (await service.job(jid)).remaining], [jid, 1]);
    again.finish();
    second.finish();
    await untilState(service, jid, "completed");
    assert.equal((await untilState(service, neighbour, "completed")).remaining, 2);
    service.signal("SIGQUIT");
    assert.equal(await service.program.ended, 0);
    return took;
  });
});

test("the job of a process that is killed is within a second with one that waits for jobs", async (t) => {
  // The lease is of an hour, and nobody looks for jobs untold: only the master, which hears of the death, brings this one back
  // before.
  await oneOfThreeWithin(t, "from the death to the next reservation", 1_000, async () => {
    const service = await started(TWO, { INTERVAL: "3600" });
    await service.client.config.set("heartbeat", 3_600_000);
    const [jid] = (await service.put("hold")) as [string];
    const first = await service.held();
    const [idle] = await service.workers(1, ({ pid }) => pid !== first.pid);
    process.kill(first.pid, "SIGKILL");
    await first.ended;
    const died = Date.now();
    const again = await service.held();
    assert.deepEqual([again.jid, again.pid], [jid, idle?.pid]);
    const reserved = (await service.job(jid)).history.findLast(({ what }) => what === "reserved")?.at ?? Number.NaN;
    again.finish();
    await untilState(service, jid, "completed");
    service.signal("SIGQUIT");
    assert.equal(await service.program.ended, 0);
    return reserved - died;
  });
});

test("a job that always crashes its process fails, and the job beside it is done", async () => {
  const service = await started(["--thread-count", "2"]);
  const [beside] = (await service.put("hold")) as [string];
  await service.held();
  const { jid } = await service.client.queue("q").put("crash", null, { retries: 0 });
  const failed = await untilState(service, jid, "failed");
  assert.equal(failed.failure?.group, "failed-retries-q");
  const held = await service.held();
  assert.equal(held.jid, beside);
  held.finish();
  await untilState(service, beside, "completed");
  service.signal("SIGQUIT");
  assert.equal(await service.program.ended, 0);
});

test("a handler that hangs past its timeout loses its job, and its process is replaced", async () => {
  const service = await started();
  const { jid } = await service.client.queue("q").put("hang", null, { retries: 0 });
  const held = await service.held();
  assert.equal((await untilState(service, jid, "failed")).failure?.group, "failed-retries-q");
  await service.workers(1, ({ pid }) => pid !== held.pid);
  service.signal("SIGQUIT");
  assert.equal(await service.program.ended, 0);
});

test("a handler that hangs past its timeout ends a single process with status 70, and spends a retry", async () => {
  const service = await started(["--shutdown-timeout", "0.2"], SINGLE);
  const [jid] = (await service.put("hang")) as [string];
  await service.held();
  assert.equal(await service.program.ended, 70);
  assert.deepEqual(await fate(service, jid), ["waiting", 1]);
});

test("processes whose master is killed finish their jobs and end", async () => {
  const service = await started(TWO);
  const [jid] = (await service.put("hold")) as [string];
  const held = await service.held();
  service.signal("SIGKILL");
  await service.workers(0);
  held.finish();
  assert.equal(await service.program.ended, "SIGKILL", "and nobody has its output any more");
  assert.deepEqual(await fate(service, jid), ["completed", 2]);
});

test("when master and processes are killed, the leases end", async () => {
  const service = await start();
  const move = await stopClock(service.client);
  const [jid] = (await service.put("hold")) as [string];
  const held = await service.held();
  service.signal("SIGKILL");
  process.kill(held.pid, "SIGKILL");
  await held.ended;
  await service.program.ended;
  await move(60_000);
  assert.deepEqual(await service.client.queue("q").reserve(), [], "its grace period begins");
  await move(10_000);
  const [job] = await service.client.queue("q").reserve();
  assert.deepEqual([job?.jid, job?.remaining], [jid, 1]);
});

test("a process that stood still for longer than its lease completes nothing; the job succeeds once", async () => {
  const service = await start(TWO);
  const move = await stopClock(service.client);
  await service.workers(2);
  const [jid] = (await service.put("hold")) as [string];
  const stopped = await service.held();
  process.kill(stopped.pid, "SIGSTOP");
  await move(60_000);
  while ((await service.client.queue("q").counts()).stalled === 0) {}
  await service.client.sweep();
  await move(10_000);
  await service.client.sweep();
  const again = await service.held();
  assert.equal(again.jid, jid);
  assert.notEqual(again.pid, stopped.pid);
  again.finish();
  const done = await untilState(service, jid, "completed");
  stopped.finish();
  process.kill(stopped.pid, "SIGCONT");
  await service.program.line(/^manyhands: (lock lost|job_complete of job .* was refused)/);
  assert.equal((await service.job(jid)).history.filter(({ what }) => what === "completed").length, 1);
  assert.equal(done.remaining, 1);
  service.signal("SIGQUIT");
  assert.equal(await service.program.ended, 0);
});

test("Redis is killed and comes back under load: every job is done, once, and no retry is spent", async () => {
  const server = await ownServer();
  const service = await start(["--worker-count", "2", "--thread-count", "4"], {}, server.client);
  await service.workers(2);
  const jids: string[] = [];
  for (let restarts = 0; restarts < 3; restarts += 1) {
    jids.push(...(await service.put("note", 250)));
    while ((await service.client.queue("q").stats()).run.count < jids.length - 200) {}
    await server.restart();
  }
  while ((await service.client.queue("q").stats()).run.count < jids.length) {}
  for (let at = 0; at < jids.length; at += 250) {
    for (const job of await service.client.jobs(jids.slice(at, at + 250))) {
      assert.deepEqual([job?.state, job?.remaining], ["completed", 2]);
      assert.equal(job?.history.filter(({ what }) => what === "completed").length, 1);
    }
  }
  const notes = service.client.queue("notes");
  assert.equal((await notes.counts()).waiting, jids.length, "what handlers put meanwhile is there, once");
  service.signal("SIGQUIT");
  assert.equal(await service.program.ended, 0);
});
