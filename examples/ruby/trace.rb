# frozen_string_literal: true

# OpenTelemetry: a trace goes on from who puts a job to who performs it and to the jobs that are put there. Its context
# travels in the job's headers, through all stages:
#
#     gem install opentelemetry-sdk
#     OTEL_TRACES_EXPORTER=console manyhands-ruby work -r ./trace.rb
require "manyhands"
require "opentelemetry/sdk"

# In the master: what exports spans in the background starts anew in each process.
OpenTelemetry::SDK.configure
TRACER = OpenTelemetry.tracer_provider.tracer("orders")

# Around puts of a client and around jobs of a worker: one module may do both.
module Traced
  def around_put(puts)
    TRACER.in_span("put #{puts.map { |put| put[:kind] }.join(',')}", kind: :producer) do
      puts.each { |put| OpenTelemetry.propagation.inject(put[:headers] = put[:headers].to_h.dup) }
      super
    end
  end

  # The span has what the handler raises too.
  def around_perform(job)
    OpenTelemetry::Context.with_current(OpenTelemetry.propagation.extract(job.headers)) do
      TRACER.in_span("perform #{job.kind}", kind: :consumer, attributes: { "job.id" => job.jid }) { super }
    end
  end
end

Manyhands.worker do
  client = Manyhands::Client.new.use(Traced)
  worker = Manyhands::Worker.new(client, queues: ["orders"]).use(Traced)
  # A job that is put while another is performed belongs to the same trace.
  worker.perform("order") { |job| client.queue("orders").put("invoice", job.data).jid }
  worker.perform("invoice") { |job| "invoice of #{job.data}" }
end
