// An application for `npx manyhands work ./worker.mjs`, with a database of each process's own. See also error_reporter.mjs, spans.mjs.
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

worker.perform("welcome", async (job) => (await database).save(job.data.to));

export default worker;

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
