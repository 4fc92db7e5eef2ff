# frozen_string_literal: true

# Drains JOBS no-op jobs with a Ruby worker; prints the seconds it took.
require "manyhands"

jobs = Integer(ENV.fetch("JOBS"))
worker = Manyhands::Worker.new(Manyhands::Client.new, queues: ["bench"], threads: Integer(ENV.fetch("THREADS")))
done = 0
begun = nil
clock = -> { Process.clock_gettime(Process::CLOCK_MONOTONIC) }

worker.perform("noop") do |_job|
  begun ||= clock.call
  done += 1
  worker.stop if done == jobs
  nil
end

worker.run
puts clock.call - begun
