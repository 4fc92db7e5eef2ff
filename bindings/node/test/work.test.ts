// `manyhands work` with real processes and real signals.
import assert from "node:assert/strict";
import { once } from "node:events";
import { copyFile, readFile } from "node:fs/promises";
import { createServer } from "node:net";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { type Client, type Job, version, type WorkerStatus } from "manyhands";
import { freshClient, freshFolder, type Program, startCommand, stopClock, url } from "./server.js";

const application = fileURLToPath(new URL("./programs/application.js", import.meta.url));

/** A handler of kind hold, stubborn or compute that runs. */
interface Held {
  jid: string;
  pid: number;
  finish(): void;
  /** The handler has ended, or its process. */
  ended: Promise<unknown>;
}

/** A service under test. */
interface Service {
  program: Program;
  client: Client;
  /** The next handler that runs. */
  held(): Promise<Held>;
  signal(signal: NodeJS.Signals): void;
  put(kind: string, count?: number, data?: unknown): Promise<string[]>;
  job(jid: string): Promise<Job>;
  /** What its workers that take jobs say of themselves, once there are so many of which that is true. */
  workers(count: number, suits?: (status: Status) => boolean): Promise<Status[]>;
}

type Status = NonNullable<WorkerStatus["status"]> & { pid: number };

const single = { RUN_AS_SINGLE_PROCESS: "1" };

async function start(flags: readonly string[] = [], variables: NodeJS.ProcessEnv = {}): Promise<Service> {
  const client = freshClient();
  const socket = join(await freshFolder(), "hold");
  const told: Held[] = [];
  const holds = createServer((stream) => {
    createInterface({ input: stream.on("error", () => {}) }).once("line", (line) => {
      const [jid, pid] = line.split(" ") as [string, string];
      told.push({ jid, pid: Number(pid), finish: () => stream.write("x"), ended: once(stream, "close") });
      holds.emit("held");
    });
  });
  holds.unref().listen(socket);
  await once(holds, "listening");
  const program = startCommand(["work", ...flags, application], {
    MANYHANDS_URL: url,
    NAMESPACE: client.namespace,
    QUEUES: "q",
    HOLD: socket,
    ...variables,
  });
  return {
    program,
    client,
    async held() {
      while (told.length === 0) {
        await once(holds, "held");
      }
      return told.shift() as Held;
    },
    signal: (signal) => void program.child.kill(signal),
    async put(kind, count = 1, data = null) {
      const puts = Array.from({ length: count }, () => ({ kind, data, retries: 2 }));
      return (await client.queue("q").putMany(puts)).map(({ jid }) => jid);
    },
    job: async (jid) => (await client.job(jid)) as Job,
    async workers(count, suits = () => true) {
      for (;;) {
        const { items } = await client.workers();
        const statuses = items.flatMap(({ status }) => (status === null ? [] : [status as Status]));
        const suitable = statuses.filter((status) => status.quiet === false && !isGone(status.pid) && suits(status));
        if (suitable.length === count) {
          return suitable;
        }
      }
    },
  };
}

async function started(flags: readonly string[] = [], variables: NodeJS.ProcessEnv = {}): Promise<Service> {
  const service = await start(flags, variables);
  await service.workers(flags.includes("--worker-count") ? 2 : 1);
  return service;
}

const TWO = ["--worker-count", "2", "--thread-count", "1"];

/** Its state, and how many retries are left of two. */
async function fate({ job }: Service, jid: string): Promise<[string, number]> {
  const { state, remaining } = await job(jid);
  return [state, remaining];
}

async function untilState(service: Service, jid: string, state: string): Promise<Job> {
  for (;;) {
    const job = await service.job(jid);
    if (job.state === state) {
      return job;
    }
  }
}

/** A file of examples/node, where it finds the installed package. */
async function example(name: string): Promise<string> {
  const file = join(dirname(application), name);
  await copyFile(new URL(`../../../../examples/node/${name}`, import.meta.url), file);
  return file;
}

function isGone(pid: number): boolean {
  try {
    return !process.kill(pid, 0);
  } catch {
    return true;
  }
}

test("nonsense is refused by the name under which it was written, status 2", async () => {
  const cases: [string[], NodeJS.ProcessEnv, RegExp][] = [
    [["work", "--thread-count", "many", application], {}, /^manyhands: --thread-count many is not a whole number$/],
    [["work", application], { WORKER_COUNT: "0" }, /^manyhands: WORKER_COUNT 0 is outside 1\.\.1000$/],
    [["work", application], { JOB_RESERVER: "fair" }, /^manyhands: JOB_RESERVER fair is unknown; known are ordered/],
    [["work", "--wroker-count", "2", application], {}, /^manyhands: .*--wroker-count/],
    [["work", application], { RESERVATION: "callback", QUEUES: "q" }, /^manyhands: .*strategy callback is a function/],
    [["work"], {}, /^manyhands: APPLICATION is missing/],
    [["work", "./nowhere.mjs"], {}, /^manyhands: APPLICATION \.\/nowhere\.mjs is not there$/],
    [["play"], {}, /^manyhands: play is no command$/],
  ];
  for (const [args, variables, line] of cases) {
    const program = startCommand(args, variables);
    await program.line(line);
    assert.equal(await program.ended, 2, `${args}`);
  }
});

test("an application without a worker, or that runs it itself, is refused at once", async () => {
  const without = startCommand(["work", fileURLToPath(import.meta.resolve("manyhands"))], {});
  await without.line(/^manyhands: INVALID_ARGUMENT: the default export of .* must be a Worker/);
  assert.equal(await without.ended, 2);
  const running = startCommand(["work", await example("hello.mjs")], { MANYHANDS_URL: url });
  await running.line(/^manyhands: WRONG_STATE: the command runs the worker itself/);
  assert.equal(await running.ended, 2);
});

test("the help names every setting with its unit, its default and its variable", async () => {
  const program = startCommand(["work", "--help"], {});
  await program.line(
    /^ {2}--worker-count <processes> +Worker processes that serve at once\. Default: 1 \[WORKER_COUNT\]$/,
  );
  await program.line(/\[MAX_MEMORY_MB\]$/);
  assert.equal(await program.ended, 0);
  await startCommand(["--version"], {}).line(`manyhands ${version}`);
});

test("flags win over variables, and both over what the application says", async () => {
  const service = await started(["--thread-count", "3", "--verbose"], { THREAD_COUNT: "2", WORKER_COUNT: "1" });
  const [status] = await service.workers(1);
  assert.deepEqual([status?.threads, status?.queues, status?.language], [3, ["q"], "node"]);
  await service.put("put");
  await service.program.line(/kind=put .*outcome=complete/);
  assert.equal((await service.client.queue("from a handler").counts()).waiting, 1, "its client goes there too");
  service.signal("SIGQUIT");
  assert.equal(await service.program.ended, 0);
});

test("QUIT to the master: running jobs end, no new ones begin", async () => {
  const service = await started(TWO);
  const jids = await service.put("hold", 2);
  const held = [await service.held(), await service.held()];
  const pids = (await service.workers(2)).map(({ pid }) => pid);
  assert.deepEqual(held.map(({ pid }) => pid).sort(), pids.sort());
  const [late] = (await service.put("grow", 1, 0)) as [string];
  service.signal("SIGQUIT");
  await service.workers(0);
  for (const one of held) {
    one.finish();
  }
  assert.equal(await service.program.ended, 0);
  for (const jid of jids) {
    assert.deepEqual(await fate(service, jid), ["completed", 2]);
  }
  assert.deepEqual(await fate(service, late), ["waiting", 2]);
});

test("TERM and INT to the master: handlers are interrupted, their jobs are given back free", async () => {
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    const service = await started(TWO);
    const jids = await service.put("hold", 2);
    await Promise.all([service.held(), service.held()]);
    service.signal(signal);
    assert.equal(await service.program.ended, 0);
    for (const jid of jids) {
      assert.deepEqual(await fate(service, jid), ["waiting", 2]);
    }
  }
});

test("a second TERM ends at once, and the job of a handler that does not end is given back free by the master", async () => {
  const service = await started();
  const [jid] = (await service.put("stubborn")) as [string];
  const held = await service.held();
  const began = performance.now();
  service.signal("SIGTERM");
  await service.workers(0);
  service.signal("SIGTERM");
  await held.ended;
  assert.equal(await service.program.ended, 1);
  assert.ok(performance.now() - began < 2_000, "less than what handlers have after TERM");
  assert.deepEqual(await fate(service, jid), ["waiting", 2]);
});

test("a handler that computes outlives neither SHUTDOWN_TIMEOUT nor its process", async () => {
  const service = await started(["--shutdown-timeout", "0.2"]);
  const [jid] = (await service.put("compute")) as [string];
  await service.held();
  service.signal("SIGQUIT");
  assert.equal(await service.program.ended, 1, "it was killed");
  assert.deepEqual(await fate(service, jid), ["waiting", 2]);
});

test("USR1 to the master: running jobs are interrupted and run again, in the same process", async () => {
  const service = await started(["--thread-count", "1"]);
  const [jid] = (await service.put("hold")) as [string];
  const first = await service.held();
  service.signal("SIGUSR1");
  await first.ended;
  const again = await service.held();
  assert.deepEqual([again.jid, again.pid], [jid, first.pid]);
  again.finish();
  assert.equal((await untilState(service, jid, "completed")).remaining, 2);
  service.signal("SIGQUIT");
  assert.equal(await service.program.ended, 0);
});

test("USR2 to the master pauses every process and CONT resumes it; TTIN says what runs", async () => {
  const service = await started(TWO);
  const [running] = (await service.put("hold")) as [string];
  const held = await service.held();
  service.signal("SIGUSR2");
  await service.workers(2, ({ paused }) => paused === true);
  const [late] = (await service.put("grow", 1, 0)) as [string];
  service.signal("SIGTTIN");
  await service.program.line(/^manyhands: process 2 \(pid \d+\) serves$/);
  await service.program.line(/^manyhands: worker \S+ is paused; under way: 0$/);
  await service.program.line(new RegExp(`^manyhands: job ${running} \\(hold\\) of queue q runs for \\d+ ms$`));
  assert.deepEqual(await fate(service, late), ["waiting", 2]);
  service.signal("SIGCONT");
  await untilState(service, late, "completed");
  held.finish();
  service.signal("SIGQUIT");
  assert.equal(await service.program.ended, 0);
});

test("HUP to the master replaces every process, and no job is interrupted", async () => {
  const service = await started(TWO);
  const before = (await service.workers(2)).map(({ pid }) => pid);
  const [jid] = (await service.put("hold")) as [string];
  const held = await service.held();
  service.signal("SIGHUP");
  await service.workers(2, ({ pid }) => !before.includes(pid));
  held.finish();
  await untilState(service, jid, "completed");
  service.signal("SIGQUIT");
  assert.equal(await service.program.ended, 0);
});

test("a signal to one process is for that one: USR2, CONT, QUIT and TERM", async () => {
  const service = await started(TWO);
  const [one, other] = (await service.workers(2)).map(({ pid }) => pid) as [number, number];
  process.kill(one, "SIGUSR2");
  const [paused] = await service.workers(1, (status) => status.paused === true);
  assert.equal(paused?.pid, one);
  await service.put("hold", 2);
  const first = await service.held();
  assert.equal(first.pid, other);
  process.kill(one, "SIGCONT");
  const second = await service.held();
  assert.equal(second.pid, one);

  process.kill(one, "SIGQUIT");
  await service.workers(1);
  second.finish();
  await untilState(service, second.jid, "completed");
  await service.workers(2, ({ pid }) => pid !== one);

  process.kill(other, "SIGTERM");
  await first.ended;
  const again = await service.held();
  assert.equal(again.jid, first.jid);
  assert.notEqual(again.pid, other);
  again.finish();
  assert.equal((await untilState(service, first.jid, "completed")).remaining, 2);
  service.signal("SIGQUIT");
  assert.equal(await service.program.ended, 0);
});

test("a single process obeys by itself", async () => {
  for (const [signal, state] of [
    ["SIGQUIT", "completed"],
    ["SIGTERM", "waiting"],
    ["SIGINT", "waiting"],
  ] as const) {
    const service = await started([], single);
    const [jid] = (await service.put("hold")) as [string];
    const held = await service.held();
    assert.equal(held.pid, service.program.child.pid);
    if (signal === "SIGQUIT") {
      service.signal("SIGUSR2");
      await service.workers(1, ({ paused }) => paused === true);
      service.signal("SIGCONT");
      await service.workers(1, ({ paused }) => paused === false);
    }
    service.signal(signal);
    if (signal === "SIGQUIT") {
      await service.workers(0);
      held.finish();
    }
    assert.equal(await service.program.ended, 0);
    assert.deepEqual(await fate(service, jid), [state, 2]);
  }
});

test("the title of a process says what it does", async () => {
  const service = await started();
  await service.put("hold");
  const held = await service.held();
  const shown = (pid: number) => readFile(`/proc/${pid}/cmdline`, "utf8");
  while (!(await shown(held.pid)).startsWith(`manyhands worker [q] 1/2 hold ${held.jid}`)) {}
  while (!(await shown(service.program.child.pid as number)).startsWith("manyhands master [q] 1 of 1 processes")) {}
  held.finish();
  service.signal("SIGQUIT");
  assert.equal(await service.program.ended, 0);
});

test("a process that is killed costs its job a retry and its neighbours nothing", async () => {
  const service = await started(TWO);
  const [jid] = (await service.put("hold")) as [string];
  const first = await service.held();
  const [neighbour] = (await service.put("hold")) as [string];
  const second = await service.held();
  process.kill(first.pid, "SIGKILL");
  await first.ended;
  const killed = performance.now();
  const again = await service.held();
  assert.ok(performance.now() - killed < 1_000, "elsewhere within a second");
  assert.deepEqual([again.jid, (await service.job(jid)).remaining], [jid, 1]);
  again.finish();
  second.finish();
  await untilState(service, jid, "completed");
  assert.equal((await untilState(service, neighbour, "completed")).remaining, 2);
  service.signal("SIGQUIT");
  assert.equal(await service.program.ended, 0);
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

test("3,000 jobs that leak go through processes of 500: none is lost or run twice, and memory stays flat", async () => {
  const service = await started(["--worker-count", "2", "--thread-count", "2", "--jobs-per-fork", "500"]);
  const jids = await service.put("grow", 3_000, 0.25);
  while ((await service.client.queue("q").stats()).run.count < 3_000) {}
  const done: (Job | null)[] = [];
  while (done.length < jids.length) {
    done.push(...(await service.client.jobs(jids.slice(done.length, done.length + 250))));
  }
  const results = done.map((job) => job?.result as { pid: number; memory: number });
  assert.ok(done.every((job) => job?.remaining === 2));
  const counts = new Map<number, number>();
  for (const { pid } of results) {
    counts.set(pid, (counts.get(pid) ?? 0) + 1);
  }
  assert.ok(counts.size >= 6 && [...counts.values()].every((count) => count <= 500), `${[...counts.values()]}`);
  const most = Math.max(...results.map(({ memory }) => memory)) >> 20;
  assert.ok(most < 400, `${most} MB, not 750 and more`);
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

test("`stop` from afar ends the processes like QUIT", async () => {
  const service = await started([], single);
  const [jid] = (await service.put("hold")) as [string];
  const held = await service.held();
  assert.equal(await service.client.order("*", "stop"), 1);
  await service.workers(0);
  held.finish();
  assert.equal(await service.program.ended, 0);
  assert.deepEqual(await fate(service, jid), ["completed", 2]);
});

test("the example of an application is one", async () => {
  const file = await example("worker.mjs");
  const client = freshClient();
  const headers = { traceparent: `00-${"a".repeat(32)}-${"b".repeat(16)}-01` };
  const { jid } = await client.queue("mail").put("welcome", { to: "Ada" }, { headers });
  const program = startCommand(["work", file], { MANYHANDS_URL: url, NAMESPACE: client.namespace });
  await program.line(/^\{"span":"welcome","trace":"a{32}","id":"\w{16}","parent":"b{16}","ms":\d+\}$/);
  await program.line(/^\{"error":"Error: Ada has no address","jid":"\w{32}","kind":"remind","trace":"a{32}"\}$/);
  program.child.kill("SIGQUIT");
  assert.equal(await program.ended, 0);
  assert.equal((await client.job(jid))?.state, "completed");
});
