//! OpenTelemetry: a trace goes from who puts a job to who performs it and to the jobs that are put there, in a header.
//! cargo run -p manyhands-examples --bin spans --features spans

use std::collections::HashMap;
use std::sync::Arc;

use manyhands::{
    AsyncAround, AsyncAroundPut, AsyncClient, Client, Job, Outcome, Placed, Put, Result, WorkSettings, Worker,
};
use opentelemetry::context::FutureExt;
use opentelemetry::global;
use opentelemetry::trace::{SpanKind, Status, TraceContextExt, Tracer};
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{SdkTracerProvider, SpanData, SpanExporter};

/// The span in which jobs are put becomes the parent of theirs.
async fn carry(mut puts: Vec<Put>, next: AsyncAroundPut) -> Result<Vec<Placed>> {
    let mut carried = HashMap::new();
    global::get_text_map_propagator(|context| context.inject(&mut carried));
    for put in &mut puts {
        for (name, text) in &carried {
            put.headers.entry(name.clone()).or_insert_with(|| text.clone());
        }
    }
    next.call(puts).await
}

/// A span for each run, which has what went wrong too. For handlers that block: `let _attached = context.attach(); next.call()`.
async fn traced(job: Arc<Job>, next: AsyncAround) -> Outcome {
    let headers: HashMap<_, _> = job.headers.clone().into_iter().collect();
    let parent = global::get_text_map_propagator(|context| context.extract(&headers));
    let tracer = global::tracer("parcels");
    let span = tracer.span_builder(job.kind.clone()).with_kind(SpanKind::Consumer).start_with_context(&tracer, &parent);
    let context = parent.with_span(span);
    let outcome = next.call().with_context(context.clone()).await;
    if let Some(message) = outcome.message() {
        context.span().set_status(Status::error(message.to_owned()));
    }
    context.span().end();
    outcome
}

async fn perform(client: AsyncClient, job: Job) -> Outcome {
    match job.kind.as_str() {
        "pack" => match client.put(Put::new("send").queue("parcels").data(job.data)).await {
            Ok(_) => Outcome::DONE,
            Err(error) => Outcome::thrown(error.code.name(), &error.message),
        },
        "send" => Outcome::DONE,
        _ => Outcome::UnknownKind,
    }
}

/// Prints spans that have ended; a program has an exporter of its own choice.
#[derive(Debug)]
struct Lines;

impl SpanExporter for Lines {
    async fn export(&self, spans: Vec<SpanData>) -> OTelSdkResult {
        for SpanData { name, span_context, parent_span_id, .. } in spans {
            let (trace, span) = (span_context.trace_id(), span_context.span_id());
            println!("span {name} {trace} {span} parent {parent_span_id}");
        }
        Ok(())
    }
}

fn main() -> Result<()> {
    global::set_text_map_propagator(TraceContextPropagator::new());
    let provider = SdkTracerProvider::builder().with_simple_exporter(Lines).build();
    global::set_tracer_provider(provider.clone());

    let settings = WorkSettings::from_environment()?;
    let client = Client::open(settings.url.as_deref(), &settings.client_options("{}")?)?;
    let own = r#"{"queues": ["parcels"], "kinds": ["pack", "send"], "threads": 100}"#;
    let worker = Worker::open(&client, &settings.worker_options(own)?)?.with_async(traced);
    worker.obey_signals()?;
    let client = AsyncClient::of(client).with(carry);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("the system gives threads");
    runtime.block_on(worker.run_async(move |job| perform(client.clone(), job)))?;
    worker.stop(worker.shutdown_timeout())?;
    provider.shutdown().expect("the last spans are printed");
    Ok(())
}
