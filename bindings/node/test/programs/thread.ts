// A worker on a worker_thread. workerData: [url, namespace]. Posts the data of each job that it performs.
import { parentPort, workerData } from "node:worker_threads";
import { Client, Worker } from "manyhands";

const [url, namespace] = workerData as [string, string];
const worker = new Worker(new Client(url, { namespace }), { queues: ["q"] });
worker.perform("k", async (job) => parentPort?.postMessage(job.data));
worker.perform("stop", async () => void worker.stop());
await worker.run();
