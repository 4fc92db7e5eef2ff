// An application for `npx manyhands work ./worker.mjs`: a database of each process's own, a reporter of errors, and spans whose
// context goes from put to perform, as OpenTelemetry's does.
import { AsyncLocalStorage } from "node:async_hooks";
import { randomBytes } from "node:crypto";
import { Client, Worker } from "manyhands";

const client = new Client();
const worker = new Worker(client, { queues: ["mail"], concurrency: 10 });

// Every process loads this file for itself: no connection is shared with another. It is made for the first job, and again
// when it was lost; who only loads the file, as the master does to find the jobs, makes none.
let database;
worker.use(async (_job, next) => {
  if (!(await database)?.isOpen) {
    database = openDatabase();
  }
  await database;
  return next();
});
worker.on("stop", async () => (await database)?.close());

// Errors that handlers throw, with their jobs. One that is only told to run later has none.
worker.on("failure", (job, error) => {
  report({ error: String(error), jid: job.jid, kind: job.kind, trace: job.locals.trace });
});

// Headers go with a job through all its stages. What a handler puts belongs to its trace.
const spans = new AsyncLocalStorage();
client.use(async (puts, next) => {
  const { trace, span } = spans.getStore() ?? { trace: id(16), span: id(8) };
  for (const put of puts) {
    put.options.headers = { traceparent: `00-${trace}-${span}-01`, ...put.options.headers };
  }
  return next();
});
worker.use(async (job, next) => {
  const [, trace = id(16), parent] = job.headers.traceparent?.split("-") ?? [];
  const span = id(8);
  job.locals.trace = trace;
  const began = performance.now();
  try {
    return await spans.run({ trace, span }, next);
  } finally {
    report({ span: job.kind, trace, id: span, parent, ms: Math.round(performance.now() - began) });
  }
});

worker.perform("welcome", async (job) => {
  await (await database).save(job.data.to);
  await client.queue("mail").put("remind", { to: job.data.to });
});
worker.perform("remind", async (job) => {
  throw new Error(`${job.data.to} has no address`);
});

export default worker;

function id(bytes) {
  return randomBytes(bytes).toString("hex");
}

/** In your program: what sends to your service. */
function report(what) {
  console.log(JSON.stringify(what));
}

/** In your program: the client of your database. */
async function openDatabase() {
  const rows = [];
  return {
    isOpen: true,
    save: async (row) => rows.push(row),
    close() {
      this.isOpen = false;
    },
  };
}
