// Listens to events in a process of its own. Usage: listen.js URL NAMESPACE. Says what it hears, one line each.
import { Client } from "manyhands";

const [url, namespace] = process.argv.slice(2) as [string, string];
const client = new Client(url, { namespace });

// Nobody waits on this one: it does not keep the process.
await client.events().ready();

const events = await client.events({ what: ["put"] }).ready();
console.log("listening");
for await (const { jid } of events) {
  console.log(`put ${jid}`);
  if (jid === "last") {
    break;
  }
}
console.log("left");
