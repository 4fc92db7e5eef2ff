// Put a job and perform it. Needs no server: the default is a private one in .manyhands.
import { Client, Worker } from "manyhands";

const client = new Client();
await client.queue("greetings").put("hello", { name: "world" });

const worker = new Worker(client, { queues: ["greetings"] });
worker.perform("hello", async (job) => {
  console.log(`Hello, ${job.data.name}!`);
  worker.stop(); // one greeting is enough
});

await worker.run();
await client.close();
