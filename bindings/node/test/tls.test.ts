// Clients and workers over TLS, here and in processes of their own.
import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { Client, Denied, InvalidArgument } from "manyhands";
import { clientOf, startCommand, tlsServer } from "./server.js";

const secure = await tlsServer();
const url = secure("?ca=DIR/ca.pem");

test("the processes of a command perform jobs over TLS", async () => {
  const client = clientOf("processes", url);
  const { jid } = await client.queue("q").put("grow", 0);
  const application = fileURLToPath(new URL("./programs/application.js", import.meta.url));
  const program = startCommand(["work", application], { MANYHANDS_URL: url, NAMESPACE: client.namespace, QUEUES: "q" });
  let job = await client.job(jid);
  while (job?.state !== "completed") {
    await setImmediate();
    job = await client.job(jid);
  }
  const { pid } = job.result as { pid: number };
  assert.ok(pid !== process.pid && pid !== program.child.pid, "another process than this one and the master");
  program.child.kill("SIGTERM");
  assert.equal(await program.ended, 0);
  assert.equal((await client.queue("q").counts()).running, 0, "this process goes on, too");
});

test("what does not fit is refused", async () => {
  await assert.rejects(clientOf("stranger", secure("?ca=DIR/other.pem")).queue("q").put("k"), Denied);
  assert.throws(() => new Client(secure("?ca=DIR/none.pem")), InvalidArgument);
  assert.throws(() => new Client(secure("?ca=DIR/none.pem")), /none\.pem/);
});
