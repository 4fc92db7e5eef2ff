# frozen_string_literal: true

require "manyhands"
require_relative "protocol"

client = Manyhands::Client.new("unix://#{Protocol::SOCKET}")
queue = client.queue("bench")

if Protocol::PUTS
  bulk = ->(count) { queue.put_many([{ kind: "noop", data: Protocol::PAYLOAD }] * count) }
  Protocol.put(1000, bulk, -> { queue.put("noop", Protocol::PAYLOAD) })
else
  if Protocol::SHORT_LEASES
    client.config.set("heartbeat", 1)
    client.config.set("grace-period", 0)
  end
  worker = Manyhands::Worker.new(client, queues: ["bench"])
  worker.perform("noop") { |_job| Protocol.start { worker.stop } }
  worker.run
end
