"""OpenTelemetry: a trace goes from who puts a job to who performs it and to the jobs that are put there, in a header.

pip install opentelemetry-sdk
python -m manyhands work spans:worker
"""

from typing import Any

from opentelemetry import propagate, trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SimpleSpanProcessor

from manyhands import Client, Job, Next, Placed, Put, Worker

client = Client()
worker = Worker(client, ["parcels"])
tracer = trace.get_tracer("parcels")


def line(span: ReadableSpan) -> str:
    """What is printed of a span that has ended; a program has an exporter of its own choice."""
    own, parent = span.context, span.parent
    return f"span {span.name} {own.trace_id:032x} {own.span_id:016x} parent {parent.span_id if parent else 0:016x}\n"


@worker.on("start")
def trace_here(_worker: Worker) -> None:
    """In every process after its fork: exporters have threads, which a fork leaves behind."""
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(ConsoleSpanExporter(formatter=line)))
    trace.set_tracer_provider(provider)


@client.use
def carry(puts: list[Put], next: Next[list[Placed]]) -> list[Placed]:
    """The span in which jobs are put becomes the parent of theirs."""
    carried: dict[str, str] = {}
    propagate.inject(carried)
    for put in puts:
        if carried:
            put.options["headers"] = {**carried, **put.options.get("headers", {})}
    return next()


@worker.use
def traced(job: Job, next: Next[Any]) -> Any:
    """A span for each run, which has what the handler raises too."""
    parent = propagate.extract(job.headers)
    with tracer.start_as_current_span(job.kind, context=parent, kind=trace.SpanKind.CONSUMER):
        return next()


@worker.perform("pack")
def pack(job: Job) -> None:
    client.queue("parcels").put("send", job.data)


@worker.perform("send")
def send(_job: Job) -> None:
    pass
