// What each signal does to each tier: to the master of two processes, to one of them, and to a process without a master.
// Two handlers run when it comes. A5 A6
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { freshClient, freshFolder, startCommand, stopClock, url } from "./server.js";
import { fate, type Held, isGone, type Service, SINGLE, started, TWO, untilState } from "./service.js";

type Tier = "master" | "process" | "single";

/** A tier, in which two handlers run. */
interface Scene {
  service: Service;
  tier: Tier;
  signal(signal: NodeJS.Signals): void;
  /** Those that the signal is for. */
  affected: Held[];
  /** Those of the process beside the one that gets it: they must not notice. */
  others: Held[];
  /** The processes that the signal is for. */
  pids: number[];
}

async function scene(tier: Tier, kind = "hold"): Promise<Scene> {
  const service = tier === "single" ? await started(["--thread-count", "2"], SINGLE) : await started(TWO);
  await service.put(kind, 2);
  const held = [await service.held(), await service.held()];
  const affected = tier === "process" ? held.slice(0, 1) : held;
  const pids = [...new Set(affected.map(({ pid }) => pid))];
  const to = tier === "process" ? (pids[0] as number) : (service.program.child.pid as number);
  const signal = (name: NodeJS.Signals) => void process.kill(to, name);
  return { service, tier, signal, affected, others: held.slice(affected.length), pids };
}

/** They run to their ends, no retry spent. */
async function finish({ service }: Scene, held: readonly Held[]): Promise<void> {
  for (const one of held) {
    one.finish();
    assert.equal((await untilState(service, one.jid, "completed")).remaining, 2);
  }
}

async function end(scene: Scene): Promise<void> {
  await finish(scene, scene.others);
  scene.service.signal("SIGQUIT");
  assert.equal(await scene.service.program.ended, 0);
}

/** Each runs again, or on, elsewhere than in the processes that got the signal. */
async function elsewhere({ service, affected, pids }: Scene): Promise<Held[]> {
  const again: Held[] = [];
  for (const _ of affected) {
    again.push(await service.held());
  }
  assert.deepEqual(again.map(({ jid }) => jid).sort(), affected.map(({ jid }) => jid).sort());
  assert.ok(again.every(({ pid }) => !pids.includes(pid)));
  return again;
}

/** They are given back, no retry spent, and the service has ended; or they run in a successor of the process. */
async function givenBack(scene: Scene, status: number): Promise<void> {
  const { service, tier, affected } = scene;
  if (tier === "process") {
    await finish(scene, await elsewhere(scene));
    return end(scene);
  }
  assert.equal(await service.program.ended, status);
  for (const { jid } of affected) {
    assert.deepEqual(await fate(service, jid), ["waiting", 2]);
  }
}

/** A master that nobody told how long its process may take to end, and a process that does not: after TERM it waits, and kills. */
async function untoldMaster(): Promise<Service> {
  const service = await started();
  await service.put("hold");
  process.kill((await service.held()).pid, "SIGSTOP");
  return service;
}

test("handlers have the time to end that their application gives them, and its log keeps its format", async () => {
  const untold = await untoldMaster();
  const client = freshClient();
  const patient = fileURLToPath(new URL("./programs/patient.js", import.meta.url));
  const program = startCommand(["work", "--verbose", patient], { MANYHANDS_URL: url, NAMESPACE: client.namespace });
  const pipe = join(await freshFolder(), "pipe");
  await promisify(execFile)("mkfifo", [pipe]);
  const { jid } = await client.queue("q").put("slow", pipe);
  await program.line(`started ${jid}`);
  program.child.kill("SIGTERM");
  await program.line("is told to end");
  untold.signal("SIGTERM");
  await Promise.race([untold.program.ended, program.ended]);
  assert.equal(program.child.exitCode, null, "it ended before its time");
  await writeFile(pipe, "");
  await program.line(new RegExp(`^\\{.*"jid":"${jid}"`));
  assert.equal(await program.ended, 0);
  assert.equal((await client.job(jid))?.state, "completed");
});

const TIERS: readonly Tier[] = ["master", "process", "single"];

for (const tier of TIERS) {
  test(`QUIT to the ${tier}: running jobs end, no new ones begin`, async () => {
    const all = await scene(tier);
    const { service, affected, pids } = all;
    all.signal("SIGQUIT");
    await service.workers(0, ({ pid }) => pids.includes(pid));
    const [late] = (await service.put("grow", 1, 0)) as [string];
    await finish(all, affected);
    if (tier === "process") {
      const { pid } = (await untilState(service, late, "completed")).result as { pid: number };
      assert.ok(!pids.includes(pid), "its successor serves");
      return end(all);
    }
    assert.equal(await service.program.ended, 0);
    assert.deepEqual(await fate(service, late), ["waiting", 2]);
  });

  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    test(`${signal.slice(3)} to the ${tier}: handlers are interrupted, their jobs are given back free`, async () => {
      const all = await scene(tier);
      all.signal(signal);
      await Promise.all(all.affected.map(({ ended }) => ended));
      await givenBack(all, 0);
    });
  }

  test(`a second TERM to the ${tier}: it ends at once, whatever handlers do`, async () => {
    const all = await scene(tier, "stubborn");
    const { service, pids, affected, others } = all;
    const began = performance.now();
    all.signal("SIGTERM");
    await service.workers(0, ({ pid }) => pids.includes(pid));
    all.signal("SIGTERM");
    await Promise.all(affected.map(({ ended }) => ended));
    assert.ok(performance.now() - began < 2_000, "less than what handlers have after one TERM");
    if (tier !== "single") {
      return givenBack(all, 1);
    }
    assert.equal(await service.program.ended, "SIGTERM");
    for (const { jid } of affected) {
      assert.deepEqual(await fate(service, jid), ["waiting", 2]);
    }
    assert.equal(others.length, 0);
  });

  test(`USR2, CONT and TTIN to the ${tier}: it pauses, goes on, and says what runs; handlers notice nothing`, async () => {
    const all = await scene(tier);
    const { service, affected, pids } = all;
    all.signal("SIGUSR2");
    const paused = await service.workers(pids.length, (status) => status.paused === true);
    assert.deepEqual(paused.map(({ pid }) => pid).sort(), pids.sort());
    const [late] = (await service.put("grow", 1, 0)) as [string];
    all.signal("SIGTTIN");
    for (const { jid } of affected) {
      const line = new RegExp(`^manyhands: job ${jid} \\(hold\\) of queue q runs for \\d+ ms$`);
      await service.program.line(line);
    }
    await service.program.line(/^manyhands: worker \S+ is paused; under way: [12]$/);
    await service.program.line(/^manyhands: the event loop waits for /);
    if (tier === "master") {
      await service.program.line(/^manyhands: process 2 \(pid \d+\) serves$/);
    }
    await finish(all, affected);
    assert.deepEqual(await fate(service, late), ["waiting", 2]);
    all.signal("SIGCONT");
    const { pid } = (await untilState(service, late, "completed")).result as { pid: number };
    assert.ok(pids.includes(pid));
    await end(all);
  });
}

test("USR1 to the master: running jobs are interrupted and run again, in the same processes", async () => {
  const all = await scene("master");
  all.signal("SIGUSR1");
  await Promise.all(all.affected.map(({ ended }) => ended));
  const again = [await all.service.held(), await all.service.held()];
  assert.deepEqual(again.map(({ pid }) => pid).sort(), all.pids.sort());
  await finish(all, again);
  await end(all);
});

for (const tier of ["process", "single"] as const) {
  test(`USR1 to the ${tier} is the inspector's`, async () => {
    const all = await scene(tier);
    all.signal("SIGUSR1");
    await all.service.program.line(/^Debugger listening|^Starting inspector/);
    await finish(all, all.affected);
    await end(all);
  });
}

test("HUP to the master replaces every process, and no job is interrupted", async () => {
  const all = await scene("master");
  all.signal("SIGHUP");
  await all.service.workers(2, ({ pid }) => !all.pids.includes(pid));
  await finish(all, all.affected);
  while (!all.pids.every(isGone)) {
    await all.service.workers(2);
  }
  await end(all);
});

test("HUP to a process without a master ends it, as any program; its jobs run again after their leases", async () => {
  const all = await scene("single");
  const { service, affected } = all;
  all.signal("SIGHUP");
  assert.equal(await service.program.ended, "SIGHUP");
  const queue = service.client.queue("q");
  const move = await stopClock(service.client);
  assert.deepEqual(await queue.reserve(2), [], "nobody gave them back");
  await move(60_000);
  assert.deepEqual(await queue.reserve(2), [], "their grace period begins");
  await move(10_000);
  const again = await queue.reserve(2);
  assert.deepEqual(again.map(({ jid }) => jid).sort(), affected.map(({ jid }) => jid).sort());
  assert.deepEqual(
    again.map(({ remaining }) => remaining),
    [1, 1],
  );
});

test("HUP to one process ends it, as any program; its job goes elsewhere, no retry spent", async () => {
  const all = await scene("process");
  all.signal("SIGHUP");
  await finish(all, await elsewhere(all));
  await end(all);
});
