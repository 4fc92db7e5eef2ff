// The applications in examples/node, under the command; hello.mjs has a test with the command's refusals, greetings.test.mjs with
// what helps tests.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { PutOptions } from "manyhands";
import { freshClient, type Program, startCommand, url } from "./server.js";
import { example } from "./service.js";

/** An application that performs one job, until it is stopped. */
interface Running {
  jid: string;
  program: Program;
  /** It ends well, with so many jobs done. */
  end(completed: number): Promise<void>;
}

async function running(
  name: string,
  queue: string,
  kind: string,
  data: unknown,
  options: PutOptions = {},
): Promise<Running> {
  const file = await example(name);
  const client = freshClient();
  const { jid } = await client.queue(queue).put(kind, data, options);
  const program = startCommand(["work", file], { MANYHANDS_URL: url, NAMESPACE: client.namespace });
  const end = async (completed: number) => {
    while ((await client.completed()).jids.length < completed) {
      assert.equal(program.child.exitCode, null);
    }
    program.child.kill("SIGQUIT");
    assert.equal(await program.ended, 0);
  };
  return { jid, program, end };
}

test("an application with a database", async () => {
  const { end } = await running("worker.mjs", "mail", "welcome", { to: "Ada" });
  await end(1);
});

test("errors go to a reporter", async () => {
  const { jid, program, end } = await running("error_reporter.mjs", "orders", "ship", { order: 7 }, { retries: 0 });
  const job = `\\{"jid":"${jid}","kind":"ship","queue":"orders","remaining":0\\}`;
  const told = '"error":"RangeError","message":"there is no order 7","where":"ship [^"]*"';
  await program.line(new RegExp(`^\\{${told},"job":${job}\\}$`));
  await end(0);
});

test("a trace goes from put to perform, and to what is put there", async () => {
  const [traceId, parent] = ["0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"];
  const headers = { traceparent: `00-${traceId}-${parent}-01` };
  const { program, end } = await running("spans.mjs", "parcels", "pack", {}, { headers });
  const spanOf = async (name: string, parent: string) => {
    const line = await program.line(new RegExp(`^span ${name} ${traceId} [0-9a-f]{16} parent ${parent}$`));
    return line.split(" ")[3] as string;
  };
  await spanOf("send", await spanOf("pack", parent));
  await end(2);
});
