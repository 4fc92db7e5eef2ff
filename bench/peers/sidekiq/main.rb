# frozen_string_literal: true

# Without Sidekiq Pro a job is off its list before it runs: nothing brings it back. Sidekiq's wiki: "Reliability".
require "sidekiq/cli"
require_relative "protocol"

Redis.silence_deprecations = true
Sidekiq.logger = Logger.new($stderr, level: Logger::WARN)
# Sidekiq's wiki: "Using Redis", on the driver.
redis = { url: "unix://#{Protocol::SOCKET}", driver: :hiredis }
Sidekiq.configure_client { |config| config.redis = redis }
Sidekiq.configure_server { |config| config.redis = redis }

# The job.
class Noop
  include Sidekiq::Worker

  def perform(_data)
    Protocol.start { Process.kill(:TERM, Process.pid) }
  end
end

if Protocol::PUTS
  arguments = [[Protocol::PAYLOAD]]
  # Sidekiq's wiki: "Bulk Queueing".
  bulk = ->(count) { Sidekiq::Client.push_bulk("class" => Noop, "args" => arguments * count) }
  Protocol.put(1000, bulk, -> { Noop.perform_async(Protocol::PAYLOAD) })
else
  cli = Sidekiq::CLI.instance
  # Ten threads are its default; more only wait for each other. Sidekiq's wiki: "Advanced Options", "Concurrency".
  cli.parse(["-c", "10", "-r", __FILE__, "-e", "production"])
  cli.run(boot_app: false)
end
