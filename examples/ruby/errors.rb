# frozen_string_literal: true

# Every error of a handler goes to an error reporter:
#
#     manyhands-ruby work -r ./errors.rb
require "manyhands"

# Stands for Sentry, Honeybadger, ...: it hears of the error, and of the job that it belongs to.
module Reporter
  def self.report(error, **about) = warn("REPORT #{error.class}: #{error.message} #{about}")
end

Manyhands.worker do
  worker = Manyhands::Worker.new(Manyhands::Client.new, queues: ["mail"])
  worker.on(:failure) do |job, error|
    # An error that the next run may mend is none yet for those who are on call.
    Reporter.report(error, jid: job.jid, kind: job.kind, queue: job.queue) if job.remaining.zero?
  end
  worker.on(:lock_lost) { |job, reason| warn("REPORT job #{job.jid} was lost: #{reason}") }
  worker.perform("welcome") { |job| raise KeyError, "no address" unless job.data["to"] }
end
