// What a master starts: performs the jobs of one application. Usage: worker-process.js APPLICATION [--describe]
//
// Asked to describe, it tells the process that forked it what the application's worker is.
import { describe, serve } from "./application.js";

const [application = "", asked] = process.argv.slice(2);
if (asked === undefined) {
  process.exitCode = await serve(application, "{}");
} else {
  // Whatever else the application has begun is not wanted here.
  process.send?.(await describe(application), () => process.exit());
}
