// Errors of handlers go to whoever collects them: here, as lines of JSON on standard error.
//
// npx manyhands work ./error_reporter.mjs
import { Client, Worker } from "manyhands";

const worker = new Worker(new Client(), { queues: ["orders"] });

// Called after each run that threw; an error in here is logged and harms nobody.
worker.on("failure", (job, error) => {
  const { jid, kind, queue, remaining } = job;
  const [, where] = String(error.stack).split("\n    at ");
  console.error(
    JSON.stringify({ error: error.name, message: error.message, where, job: { jid, kind, queue, remaining } }),
  );
});

worker.perform("ship", async function ship(job) {
  throw new RangeError(`there is no order ${job.data.order}`);
});

export default worker;
