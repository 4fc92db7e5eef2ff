# frozen_string_literal: true

# A trace that goes on from who puts a job to who performs it, as OpenTelemetry has it. Its context travels in the job's
# headers, through all stages:
#
#     manyhands-ruby work -r ./trace.rb
require "manyhands"
require "securerandom"

# Stands for OpenTelemetry: a span of a trace, told when it ends. The context is that of W3C, `traceparent`.
module Tracer
  def self.current = Thread.current[:traceparent]

  def self.span(name, parent)
    _, trace, parent_id, = parent&.split("-")
    trace ||= SecureRandom.hex(16)
    id = SecureRandom.hex(8)
    before = current
    Thread.current[:traceparent] = "00-#{trace}-#{id}-01"
    yield
  ensure
    Thread.current[:traceparent] = before
    warn("SPAN #{name} trace=#{trace} id=#{id} parent=#{parent_id}")
  end
end

# Around puts of a client and around jobs of a worker: one module may do both.
module Traced
  def around_put(puts)
    Tracer.span("put #{puts.map { |put| put[:kind] }.join(',')}", Tracer.current) do
      puts.each { |put| put[:headers] = { **put[:headers].to_h, "traceparent" => Tracer.current } }
      super
    end
  end

  def around_perform(job)
    Tracer.span("perform #{job.kind}", job.headers["traceparent"]) { super }
  end
end

Manyhands.worker do
  client = Manyhands::Client.new.use(Traced)
  worker = Manyhands::Worker.new(client, queues: ["orders"]).use(Traced)
  # A job that is put while another is performed belongs to the same trace.
  worker.perform("order") { |job| client.queue("orders").put("invoice", job.data).jid }
  worker.perform("invoice") { |job| "invoice of #{job.data}" }
end
