// OpenTelemetry: a trace goes from who puts a job to who performs it and to the jobs that are put there, in a header.
//
// npm install @opentelemetry/api @opentelemetry/core @opentelemetry/context-async-hooks @opentelemetry/sdk-trace-base
// npx manyhands work ./spans.mjs
import { context, propagation, SpanKind, SpanStatusCode, trace } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import { ExportResultCode, W3CTraceContextPropagator } from "@opentelemetry/core";
import { BasicTracerProvider, SimpleSpanProcessor } from "@opentelemetry/sdk-trace-base";
import { Client, Worker } from "manyhands";

const client = new Client();
const worker = new Worker(client, { queues: ["parcels"], concurrency: 10 });
const tracer = trace.getTracer("parcels");

/** What is printed of spans that have ended; a program has an exporter of its own choice. */
const lines = {
  export(spans, exported) {
    for (const span of spans) {
      const { traceId, spanId } = span.spanContext();
      console.log(`span ${span.name} ${traceId} ${spanId} parent ${span.parentSpanContext?.spanId ?? "none"}`);
    }
    exported({ code: ExportResultCode.SUCCESS });
  },
  async shutdown() {},
};

// Every process loads this file for itself, and has a provider of its own.
const provider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(lines)] });
trace.setGlobalTracerProvider(provider);
context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
propagation.setGlobalPropagator(new W3CTraceContextPropagator());
worker.on("stop", () => provider.shutdown());

// The span in which jobs are put becomes the parent of theirs.
client.use((puts, next) => {
  const carried = {};
  propagation.inject(context.active(), carried);
  for (const put of puts) {
    put.options.headers = { ...carried, ...put.options.headers };
  }
  return next();
});

// A span for each run, which has what the handler throws too.
worker.use((job, next) => {
  const parent = propagation.extract(context.active(), job.headers);
  return tracer.startActiveSpan(job.kind, { kind: SpanKind.CONSUMER }, parent, async (span) => {
    try {
      return await next();
    } catch (error) {
      span.recordException(error);
      span.setStatus({ code: SpanStatusCode.ERROR, message: error.message });
      throw error;
    } finally {
      span.end();
    }
  });
});

worker.perform("pack", async (job) => {
  await client.queue("parcels").put("send", job.data);
});
worker.perform("send", async () => {});

export default worker;
