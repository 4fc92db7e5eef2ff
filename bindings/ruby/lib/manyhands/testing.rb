# frozen_string_literal: true

require "manyhands"
require "manyhands/testing/recorded_puts"
require "manyhands/testing/inline"
require "manyhands/testing/drain"

module Manyhands
  # For tests of programs that use Manyhands, in any test framework. `require "manyhands/testing"` loads it.
  #
  # {.recorded_puts} and {.perform} need no server, nor does {Job.build}; {.drain} and {.inline} perform what stands in
  # one, for which `Client.new("embedded:#{Dir.mktmpdir}")` will do.
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
      def recorded_puts(client, &)
        Wire.check_class(client, "client", Client)
        divert(RecordedPuts.new(client), &)
      end

      # Runs a job through the worker's middleware and its handler, without a server.
      #
      # @param worker [Worker] has a handler for its kind
      # @param job [Job] of {Job.build}
      # @return [Object] what they return
      # @raise what they raise
      # @raise [InvalidArgument] when there is no handler
      def perform(worker, job)
        Wire.check_class(worker, "worker", Worker)
        Wire.check_class(job, "job", Job)
        handler = worker.duties.handler(job.kind)
        Wire.refuse("the worker has no handler for kind #{job.kind}", nil) unless handler

        worker.duties.perform(job, handler)
      end

      # Performs the jobs that may run now in the worker's queues, and those that they put there, on this thread until
      # there are none. Handlers, middleware, hooks and outcomes are as in {Worker#run}, but nothing interrupts a
      # handler, no timeout either, a refused outcome is raised, and nobody hears of :start, :stop and :lock_lost.
      #
      # @param worker [Worker] is not started
      # @param raises [Boolean] raise the first error of a handler, when its job has been told of it; false leaves it to
      #   the job, as in {Worker#run}
      # @return [Integer] how many were performed
      # @raise what a handler raises
      # @example
      #   client.queue("mail").put("welcome", { to: "ann@example.com" })
      #   assert_equal 1, Manyhands::Testing.drain(worker)
      def drain(worker, raises: true)
        Wire.check_class(worker, "worker", Worker)
        Drain.new(worker, raises).run
      end

      # From now on a put by the worker's client performs what may run before it returns, see {.drain}. What a handler
      # raises comes out of the put, when the job has been told of it.
      #
      # @param worker [Worker] is not started
      # @yieldparam inline [Inline] until the block ends
      # @return [Inline] without a block: until its `stop`
      # @example
      #   Manyhands::Testing.inline(worker) { client.queue("mail").put("welcome", { to: "ann@example.com" }) }
      #   assert_equal 1, deliveries.size
      def inline(worker, &)
        Wire.check_class(worker, "worker", Worker)
        divert(Inline.new(worker), &)
      end

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
