// Processes that are replaced: after so many jobs, and for their memory.
import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { test } from "node:test";
import type { Event, Events } from "manyhands";
import { type Service, started, untilState } from "./service.js";

/** How many jobs leak. */
const LEAKING = 10_000;

/** MB that each of them leaks. */
const LEAK = 0.25;

/** How many of them a process performs. */
const EACH = 100;

/** MB of resident memory of a process and its children, whichever of its threads started them. */
async function treeMemory(pid: number): Promise<number> {
  const read = (path: string) => readFile(`/proc/${path}`, "utf8").catch(() => "");
  const threads = await readdir(`/proc/${pid}/task`);
  const children = await Promise.all(threads.map((thread) => read(`${pid}/task/${thread}/children`)));
  const pids = [String(pid), ...children.join(" ").split(" ").filter(Boolean)];
  const pages = await Promise.all(pids.map(async (one) => Number((await read(`${one}/statm`)).split(" ")[1] ?? 0)));
  return (pages.reduce((all, one) => all + one, 0) * 4_096) / 2 ** 20;
}

/** Of memory, as now and then there are more processes than usual. */
function median(samples: readonly number[]): number {
  return [...samples].sort((one, other) => one - other)[Math.floor(samples.length / 2)] as number;
}

/** Every reserve and every completion of jobs, in their order. */
async function heard({ client }: Service): Promise<Events> {
  await client.config.set("events", "all");
  return client.events({ what: ["reserved", "completed"] }).ready();
}

/** The process of the worker that has reserved the job: its name is host:pid:digits. */
function processOf({ worker }: Event): number {
  return Number(worker?.split(":").at(-2));
}

test("a process that has begun its jobs has its successor before they end", async () => {
  const service = await started(["--jobs-per-fork", "1", "--thread-count", "1"]);
  await service.put("hold", 2);
  const first = await service.held();
  const second = await service.held();
  assert.notEqual(first.pid, second.pid, "while the first still runs");
  first.finish();
  second.finish();
  await untilState(service, second.jid, "completed");
  service.signal("SIGQUIT");
  assert.equal(await service.program.ended, 0);
});

test(`${LEAKING} jobs that leak go through processes of ${EACH}: each is done once, and memory stays flat`, async (t) => {
  const service = await started(["--worker-count", "2", "--thread-count", "2", "--jobs-per-fork", String(EACH)]);
  const events = await heard(service);
  for (let put = 0; put < LEAKING; put += 1_000) {
    await service.put("grow", Math.min(1_000, LEAKING - put), LEAK);
  }
  const began = performance.now();
  const memory: number[] = [];
  const holders = new Map<string, number>();
  const completed = new Set<string>();
  const performed = new Map<number, number>();
  for await (const event of events) {
    const { jid } = event;
    if (event.event === "reserved") {
      holders.set(jid, processOf(event));
    } else {
      assert.ok(!completed.has(jid), `${jid} is completed once`);
      completed.add(jid);
      const pid = holders.get(jid) as number;
      performed.set(pid, (performed.get(pid) ?? 0) + 1);
      if (completed.size % 50 === 0) {
        memory.push(await treeMemory(service.program.child.pid as number));
      }
      if (completed.size === LEAKING) {
        break;
      }
    }
  }
  const seconds = (performance.now() - began) / 1_000;
  const third = memory.length / 3;
  const [before, after] = [memory.slice(0, third), memory.slice(-third)].map(median) as [number, number];
  const figures = `${before.toFixed()} MB, then ${after.toFixed()} MB, of ${LEAKING * LEAK} MB that leaked`;
  t.diagnostic(
    `${performed.size} processes, ${seconds.toFixed(1)} s; ${figures}; at most ${Math.max(...memory).toFixed()} MB`,
  );
  assert.equal(events.gaps, 0);
  assert.ok(Math.max(...performed.values()) <= EACH, `${[...performed.values()]}`);
  // Each of the two processes is anywhere between its first job and its last.
  assert.ok(after - before < 2 * EACH * LEAK, figures);
  service.signal("SIGQUIT");
  assert.equal(await service.program.ended, 0);
});

test("of jobs put one after another none waits while processes are replaced: there is a successor before the last start", async (t) => {
  const service = await started(["--thread-count", "2", "--jobs-per-fork", "1000"]);
  const events = await heard(service);
  const queue = service.client.queue("q");
  const jids = await service.put("grow", 1, 0);
  const starts: number[] = [];
  for await (const event of events) {
    if (event.event === "reserved") {
      starts.push(processOf(event));
    } else if (jids.length === 3_000) {
      break;
    } else {
      jids.push((await queue.put("grow", 0)).jid);
    }
  }
  const waits: number[] = [];
  for (let at = 0; at < jids.length; at += 250) {
    for (const job of await service.client.jobs(jids.slice(at, at + 250))) {
      const at = (wanted: string) => job?.history.find(({ what }) => what === wanted)?.at as number;
      waits.push(at("reserved") - at("put"));
    }
  }
  t.diagnostic(`the longest wait was ${Math.max(...waits)} ms; ${(await queue.stats()).wait.p99} ms of 99 in 100`);
  const pids = [...new Set(starts)];
  assert.ok(pids.length >= 3);
  for (const [index, pid] of pids.slice(1).entries()) {
    const predecessor = pids[index] as number;
    assert.ok(starts.indexOf(pid) < starts.lastIndexOf(predecessor), `${pid} comes after the end of ${predecessor}`);
  }
  service.signal("SIGQUIT");
  assert.equal(await service.program.ended, 0);
});

test("a process with more than MAX_MEMORY_MB is replaced, and its running job ends in peace", async () => {
  const service = await started(["--thread-count", "2"], { MAX_MEMORY_MB: "400" });
  const [jid] = (await service.put("hold")) as [string];
  const held = await service.held();
  await service.put("grow", 1, 500);
  await service.workers(1, ({ pid }) => pid !== held.pid);
  held.finish();
  assert.equal((await untilState(service, jid, "completed")).remaining, 2);
  await service.program.line(/MB of memory, more than 400; it is replaced$/);
  service.signal("SIGQUIT");
  assert.equal(await service.program.ended, 0);
});
