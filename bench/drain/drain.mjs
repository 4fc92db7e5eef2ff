// Drains JOBS no-op jobs with a Node worker; prints the seconds it took.
import { Client, Worker } from 'manyhands'

const jobs = Number(process.env.JOBS)
const client = new Client()
const worker = new Worker(client, { queues: ['bench'], concurrency: Number(process.env.THREADS) })
let done = 0
let begun

worker.perform('noop', async () => {
  begun ??= performance.now()
  if (++done === jobs) worker.stop()
})

await worker.run()
console.log((performance.now() - begun) / 1000)
await client.close()
