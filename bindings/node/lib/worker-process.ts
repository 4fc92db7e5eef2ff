// What a master starts: performs the jobs of one application. Usage: worker-process.js APPLICATION [--describe]
//
// Asked to describe, it tells the process that forked it what the application's worker is, or why it has none.
import { describe, serve } from "./application.js";
import { described } from "./ending.js";

const [application = "", asked] = process.argv.slice(2);
if (asked === undefined) {
  process.exitCode = await serve(application, "{}");
} else {
  let status = 0;
  const told = await describe(application).catch((thrown) => {
    console.error(`manyhands: ${described(thrown)}`);
    status = 2;
  });
  // Whatever else the application has begun is not wanted here.
  process.send?.(told ?? null, () => process.exit(status));
}
