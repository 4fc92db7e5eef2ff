// The command `manyhands work`: what it is told, what it refuses, what it shows.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { mkdtemp, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { version } from "manyhands";
import { workSettings } from "../node_modules/manyhands/dist/work-settings.js";
import { commandFile, serviceManager, startCommand, url } from "./server.js";
import { application, example, fate, SINGLE, start, started } from "./service.js";

test("nonsense is refused by the name under which it was written, status 2", async () => {
  const cases: [string[], NodeJS.ProcessEnv, RegExp][] = [
    [["work", "--thread-count", "many", application], {}, /^manyhands: --thread-count many is not a whole number$/],
    [["work", application], { WORKER_COUNT: "0" }, /^manyhands: WORKER_COUNT 0 is outside 1\.\.1000$/],
    [["work", application], { JOB_RESERVER: "fair" }, /^manyhands: JOB_RESERVER fair is unknown; known are ordered/],
    [["work", "--wroker-count", "2", application], {}, /^manyhands: .*--wroker-count/],
    [
      ["work", application],
      { RESERVATION: "callback", QUEUES: "q" },
      /^manyhands: .*strategy callback is for a worker whose strategy is a function$/,
    ],
    [["work"], {}, /^manyhands: APPLICATION is missing/],
    [["work", "./nowhere.mjs"], {}, /^manyhands: APPLICATION \.\/nowhere\.mjs is not there$/],
    [["work", "."], {}, /^manyhands: APPLICATION \. is not a file$/],
    [
      ["work", application],
      { MANYHANDS_URL: "http://x" },
      /^manyhands: MANYHANDS_URL http:\/\/x has an unknown scheme/,
    ],
    [["work", "--url", "x", application], {}, /^manyhands: --url "x" has no scheme$/],
    [["work", application], { NAMESPACE: "a b" }, /^manyhands: NAMESPACE "a b" is not 1 to 64/],
    [["play"], {}, /^manyhands: play is no command$/],
  ];
  for (const [args, variables, line] of cases) {
    const program = startCommand(args, variables);
    await program.line(line);
    assert.equal(await program.ended, 2, `${args}`);
  }
});

test("an application that makes no worker is refused at once, and it is said where, status 2", async () => {
  const folder = await mkdtemp(join(dirname(application), "refused-"));
  const cases: [source: string, ...lines: RegExp[]][] = [
    ["export default 7;", /^manyhands: INVALID_ARGUMENT: the default export of \S+ must be a Worker .* returns one$/],
    [
      'import { Client, Worker } from "manyhands"; export default new Worker(new Client(), { queues: ["q"] });',
      /^manyhands: the worker performs nothing: say worker\.perform\(…\)$/,
    ],
    ["export default () => {", /refused-\w+\/\d+\.mjs:1$/, /^SyntaxError: /],
    ['throw new TypeError("no");', /^manyhands: TypeError: no$/, /refused-\w+\/\d+\.mjs:1:7/],
    ["export default () => new Promise(() => {});", /^manyhands: \S+ is not loaded: what it awaits never comes$/],
    ["await new Promise(() => {});", /^manyhands: \S+ is not loaded: what it awaits never comes$/],
  ];
  for (const variables of [{}, SINGLE]) {
    for (const [number, [source, ...lines]] of cases.entries()) {
      const file = join(folder, `${number}.mjs`);
      await writeFile(file, source);
      const program = startCommand(["work", file], variables);
      for (const line of lines) {
        await program.line(line);
      }
      assert.equal(await program.ended, 2, source);
    }
  }
  const compiled = join(folder, "compiled.cjs");
  const noHandlers = 'import("manyhands").then(({ Client, Worker }) => new Worker(new Client(), { queues: ["q"] }))';
  await writeFile(compiled, `exports.__esModule = true; exports.default = () => ${noHandlers};`);
  const fromCompiled = startCommand(["work", compiled], {});
  await fromCompiled.line(/^manyhands: the worker performs nothing/);
  assert.equal(await fromCompiled.ended, 2);
  const leaving = join(folder, "leaving.mjs");
  await writeFile(leaving, "process.exit(3);");
  const program = startCommand(["work", leaving], {});
  await program.line(/^manyhands: the process ended with status 3 while it loaded \S+leaving\.mjs$/);
  assert.equal(await program.ended, 2);
});

test("an application that runs its worker itself is refused", async () => {
  const running = startCommand(["work", await example("hello.mjs")], { MANYHANDS_URL: url });
  await running.line(/^manyhands: WRONG_STATE: the command runs the worker itself/);
  assert.equal(await running.ended, 2);
});

test("the help names every setting with its unit, its default and its variable", async () => {
  const { stdout } = await promisify(execFile)(process.execPath, [commandFile, "work", "--help"]);
  const help = stdout.replaceAll(/\s+/g, " ");
  for (const { name, flag, unit, default: initial, help: explained } of workSettings) {
    const value = unit === "" ? "" : ` <${unit}>`;
    const unsaid = initial === "" ? "" : ` Default: ${initial}`;
    assert.ok(help.includes(` --${flag}${value} ${explained}${unsaid} [${name}]`), name);
  }
  assert.match(
    stdout,
    /^ {2}--worker-count <processes> +Worker processes that serve at once\. Default: 1 \[WORKER_COUNT\]$/m,
  );
  assert.match(stdout, /\[MAX_MEMORY_MB\]$/m);
  await startCommand(["--version"], {}).line(`manyhands ${version}`);
});

test("flags win over variables, and both over what the application says", async () => {
  const service = await started(["--thread-count", "3", "--verbose"], { THREAD_COUNT: "2", WORKER_COUNT: "1" });
  const [status] = await service.workers(1);
  assert.deepEqual([status?.threads, status?.queues, status?.language], [3, ["q"], "node"]);
  await service.put("put");
  await service.program.line(/kind=put .*outcome=complete/);
  assert.equal((await service.client.queue("from a handler").counts()).waiting, 1, "its client goes there too");
  service.signal("SIGQUIT");
  assert.equal(await service.program.ended, 0);
});

test("the title of a process says what it does", async () => {
  const service = await started();
  await service.put("hold");
  const held = await service.held();
  const shown = (pid: number) => readFile(`/proc/${pid}/cmdline`, "utf8");
  while (!(await shown(held.pid)).startsWith(`manyhands worker [q] 1/2 hold ${held.jid}`)) {}
  while (!(await shown(service.program.child.pid as number)).startsWith("manyhands master [q] 1 of 1 processes")) {}
  held.finish();
  service.signal("SIGQUIT");
  assert.equal(await service.program.ended, 0);
});

test("the service manager learns when the service is up, that it lives, and when it ends", async () => {
  const manager = await serviceManager();
  const service = await start(["--worker-count", "2"], { NOTIFY_SOCKET: manager.path, WATCHDOG_USEC: "20000" });
  for (const news of ["READY=1", "STATUS=2 of 2 processes serve", "WATCHDOG=1", "WATCHDOG=1"]) {
    await manager.told(news);
  }
  service.signal("SIGQUIT");
  await manager.told("STOPPING=1");
  assert.equal(await service.program.ended, 0);
});

test("figures of the jobs go where STATSD_HOST, STATSD_PORT and STATSD_KEY say", async () => {
  const statsd = createSocket("udp4");
  statsd.bind(0, "127.0.0.1");
  await once(statsd, "listening");
  const variables = { STATSD_HOST: "127.0.0.1", STATSD_PORT: String(statsd.address().port), STATSD_KEY: "tests" };
  const service = await started([], variables);
  const figures: string[] = [];
  statsd.on("message", (message) => figures.push(...String(message).split("\n")));
  await service.put("put");
  while (!figures.includes("tests.put.count:1|c")) {
    await once(statsd, "message");
  }
  statsd.close();
  service.signal("SIGQUIT");
  assert.equal(await service.program.ended, 0);
});

test("`stop` from afar ends the processes like QUIT", async () => {
  const service = await started([], SINGLE);
  const [jid] = (await service.put("hold")) as [string];
  const held = await service.held();
  assert.equal(await service.client.order("*", "stop"), 1);
  await service.workers(0);
  held.finish();
  assert.equal(await service.program.ended, 0);
  assert.deepEqual(await fate(service, jid), ["completed", 2]);
});
