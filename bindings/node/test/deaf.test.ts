// A process, a handler of which never gives the event loop back: without a master, and of one.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import type { Client, Job } from "manyhands";
import { freshClient, type Program, start, url } from "./server.js";
import { started as service } from "./service.js";

async function started(client: Client, kind: string, ms: number): Promise<Program> {
  await client.queue("q").put(kind, null, { jid: "deaf", retries: 2 });
  const program = start("deaf", client, [], url, [String(ms)]);
  await program.line("started deaf");
  return program;
}

/** The retries that are left of the job, which can be had at once. */
async function givenBack(client: Client): Promise<number> {
  const [job] = (await client.queue("q").reserve()) as [Job];
  assert.equal(job.jid, "deaf");
  return job.remaining;
}

for (const signal of ["SIGTERM", "SIGINT", "SIGQUIT"] as const) {
  test(`after ${signal.slice(3)} the process ends in time, and the job is given back free`, async () => {
    const client = freshClient();
    const program = await started(client, "work", 50);
    program.child.kill(signal);
    assert.equal(await program.ended, signal);
    assert.equal(await givenBack(client), 2);
  });
}

test("a second TERM ends the process at once", async () => {
  const client = freshClient();
  const program = await started(client, "work", 60_000);
  const { child } = program;
  child.kill("SIGTERM");
  // Before it is taken another is the same one.
  while (!(await readFile(`/proc/${child.pid}/status`, "utf8")).includes("ShdPnd:\t0000000000000000")) {}
  child.kill("SIGTERM");
  assert.equal(await program.ended, "SIGTERM");
  assert.equal(await givenBack(client), 2);
});

test("a timeout ends the process, and a retry is spent", async () => {
  const client = freshClient();
  const program = await started(client, "late", 50);
  assert.equal(await program.ended, 70);
  assert.equal(await givenBack(client), 1);
});

test("TERM to a process of a master ends it in time, and the job runs in its successor, no retry spent", async () => {
  const served = await service(["--kill-timeout", "0.05"]);
  const [jid] = (await served.put("compute")) as [string];
  const { pid } = await served.held();
  process.kill(pid, "SIGTERM");
  const again = await served.held();
  assert.deepEqual([again.jid, again.pid === pid, (await served.job(jid)).remaining], [jid, false, 2]);
  served.signal("SIGTERM");
  assert.equal(await served.program.ended, 1);
});
