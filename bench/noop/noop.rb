# frozen_string_literal: true

# A worker that performs no-op jobs: `manyhands-ruby work -r ./noop.rb`.
require "manyhands"

Manyhands.worker do
  worker = Manyhands::Worker.new(Manyhands::Client.new, queues: ["bench"])
  worker.perform("noop") { |_job| nil }
end
