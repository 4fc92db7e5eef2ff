// Waits for an event on a worker_thread. workerData: [url, namespace].
import { parentPort, workerData } from "node:worker_threads";
import { Client } from "manyhands";

const [url, namespace] = workerData as [string, string];
const events = await new Client(url, { namespace }).events().ready();
parentPort?.postMessage("listening");
await events.next();
