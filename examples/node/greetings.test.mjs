// How a program that uses Manyhands is tested, with node:test. Needs no server: `embedded:DIR` starts a private one there.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, test } from "node:test";
import { Client, defineJob, Worker } from "manyhands";
import { drain, inline, perform, recordedPuts } from "manyhands/testing";

// The program: who signs up is greeted.
const greet = defineJob({ kind: "greet", queue: "mail", retries: 3 }, async (job) => `Hello, ${job.data.name}!`);

async function signUp(client, name) {
  await greet.put(client, { name }, { priority: name === "Ada" ? 10 : 0 });
}

const client = new Client("embedded:.manyhands", { namespace: `test-${randomUUID()}` });
after(() => client.close());

test("a handler, on a job that was built without a server", async () => {
  assert.equal(await greet.handler(greet.build({ name: "Ada" })), "Hello, Ada!");
});

test("a handler with the middleware around it, without a server", async () => {
  const worker = new Worker(client, { queues: ["mail"] }).perform(greet);
  worker.use(async (_, next) => (await next()).toUpperCase());
  assert.equal(await perform(worker, greet.build({ name: "Ada" })), "HELLO, ADA!");
});

test("what was put, without a server", async () => {
  const recorded = recordedPuts(client);
  await signUp(client, "Ada");
  recorded.assertPut({ kind: "greet", queue: "mail", data: { name: "Ada" }, options: { priority: 10 } });
  recorded.assertNotPut({ data: { name: "Grace" } });
  recorded.stop();
});

test("performed when asked, on a server", async () => {
  const worker = new Worker(client, { queues: ["mail"] }).perform(greet);
  await signUp(client, "Grace");
  assert.equal(await drain(worker), 1);
  const [jid] = (await client.completed()).jids;
  assert.equal((await client.job(jid)).result, "Hello, Grace!");
});

test("performed at once, on a server", async () => {
  const mode = inline(new Worker(client, { queues: ["mail"] }).perform(greet));
  const { jid } = await greet.put(client, { name: "Joan" });
  assert.equal((await client.job(jid)).result, "Hello, Joan!");
  mode.stop();
});
