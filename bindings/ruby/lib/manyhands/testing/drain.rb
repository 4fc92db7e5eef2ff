# frozen_string_literal: true

module Manyhands
  module Testing
    # Performs what stands in a worker's queues.
    #
    # @api private
    class Drain
      # Where a performer tells outcomes: the engine hears of them at once.
      class Told
        # How long a job waits after an error unless it says so itself: as with any worker, but never longer or shorter
        # at random.
        BACKOFF = Backoff.exponential(jitter: 0)

        def initialize(client)
          @client = client
          @job = nil
        end

        # The job that is performed now.
        attr_writer :job

        # @see Native::Worker#complete
        def complete(jid, token, result)
          tell("complete", { jid:, token:, result: result && Wire::Raw.new(result) }.compact)
        end

        # @see Native::Worker#finish
        def finish(jid, token, outcome)
          verb, fields = Wire.parse(outcome).first
          verb, fields = *again(fields) if verb == "error"
          verb, fields = *unknown_kind if verb == "unknown_kind"
          tell(verb, { jid:, token:, **fields })
        end

        private

        def tell(verb, job)
          told = @client.call("job_#{verb}", { jobs: [job] }).first
          raise Error.from(told["error"]) if told["error"]
        end

        def unknown_kind = ["fail", { group: @job.failure_group(@job.kind, "unknown-kind") }]

        def again(error)
          delay_ms = Wire.milliseconds((@job.backoff || BACKOFF).after(@job), "backoff", nil)
          ["retry", { delay_ms:, group: @job.failure_group(error["class"]), **error.slice("message", "trace") }]
        end
      end

      # Keeps the first error for the test.
      class Attentive < Performer
        # @return [Exception, nil]
        attr_reader :error

        private

        def failed(_run, exception)
          @error ||= exception
          super
        end
      end
      private_constant :Told, :Attentive

      # @param worker [Worker]
      # @param raises [Boolean] whether an error of a handler is the test's affair too
      def initialize(worker, raises)
        @raises = raises
        @worker = worker
        @client = worker.client
        @told = Told.new(@client)
        @performer = Attentive.new(@told, worker.duties, worker.logger)
      end

      # @return [Integer] how many were performed
      def run
        count = 0
        while (job = reserve)
          @told.job = job
          Thread.handle_interrupt(Runs::HELD_BACK) { @performer.perform(job) }
          raise @performer.error if @raises && @performer.error

          count += 1
        end
        count
      end

      private

      # The next job of the first queue that has one.
      def reserve
        @worker.look_up.each do |name|
          job = @client.queue(name).reserve.first
          return job if job
        end
        nil
      end
    end
    private_constant :Drain
  end
end
