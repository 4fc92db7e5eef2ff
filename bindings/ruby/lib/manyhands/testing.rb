# frozen_string_literal: true

require "manyhands"
require "manyhands/testing/recorded_puts"
require "manyhands/testing/inline"
require "manyhands/testing/drain"

module Manyhands
  # For tests of programs that use Manyhands, in any test framework. `require "manyhands/testing"` loads it.
  #
  # {.recorded_puts} and {.inline} need no server, nor does {Job.build}, which makes a job to call a handler with;
  # {.drain} performs what stands in a server, for which `Client.new("embedded:#{Dir.mktmpdir}")` will do.
  module Testing
    class << self
      # From now on the client's puts are only recorded: nothing is sent. They are checked as far as that goes without a
      # server, and middleware and hooks see them.
      #
      # @param client [Client]
      # @yieldparam recorded [RecordedPuts] until the block ends
      # @return [RecordedPuts] without a block: until its `stop`
      # @example
      #   recorded = Manyhands::Testing.recorded_puts(client) { sign_up("ann@example.com") }
      #   recorded.assert_put("welcome", queue: "mail", data: { to: "ann@example.com" })
      def recorded_puts(client, &) = divert(RecordedPuts.new(client), &)

      # From now on a put by the worker's client performs the job at once, on the thread that puts it, with the worker's
      # handler and middleware: no server, no hooks. The job then goes on along its route. Delays, throttles and
      # dependencies are passed over.
      #
      # What the handler raises the put raises, {Fail}, {Retry} and {Snooze} too.
      #
      # @param worker [Worker] is not started
      # @yieldparam inline [Inline] until the block ends
      # @return [Inline] without a block: until its `stop`
      # @example
      #   Manyhands::Testing.inline(worker) { client.queue("mail").put("welcome", { to: "ann@example.com" }) }
      #   assert_equal 1, deliveries.size
      def inline(worker, &) = divert(Inline.new(worker), &)

      # Performs the jobs that are due in the worker's queues, and those that they put there, on this thread until there
      # are none. Handlers, middleware, hooks and outcomes are as in {Worker#run}: an error is logged, and the job runs
      # again later.
      #
      # @param worker [Worker] is not started
      # @return [Integer] how many were performed
      # @raise [Error] as any call
      # @example
      #   client.queue("mail").put("welcome", { to: "ann@example.com" })
      #   assert_equal 1, Manyhands::Testing.drain(worker)
      def drain(worker) = Drain.new(worker).run

      private

      def divert(instead)
        return instead.tap(&:begin) unless block_given?

        begin
          instead.begin
          yield instead
        ensure
          instead.stop
        end
        instead
      end
    end
  end
end
