# frozen_string_literal: true

module Manyhands
  module Testing
    # Performs jobs at once in the place of a server. Get it by {Testing.inline}.
    class Inline < Diversion
      # @api private
      def initialize(worker)
        super(worker.client)
        @duties = worker.duties
      end

      # @api private
      def around_put(puts)
        Placing.items(puts)
        puts.map do |put|
          stage = first_stage(put)
          placed = Placed.new(stage[:jid], "put", []).freeze
          stage = perform(stage) while stage
          placed
        end
      end

      private

      # What is not given is as in a put.
      def first_stage(put)
        usual = { jid: SecureRandom.uuid.delete("-"), data: nil, priority: 0, retries: 5, tags: [], route: [],
                  throttles: [] }
        named = { queue: put[:queue].to_s, kind: put[:kind].to_s }
        { **usual, **put.slice(*usual.keys).compact, **named }
      end

      # Performs a job in one queue; what there is to perform in the next, if any.
      def perform(stage)
        kind = stage[:kind]
        Wire.refuse("the worker has no handler for kind #{kind}", "queue_put") unless @duties.known?(kind)

        holder = Holder.new(stage)
        fields = { **stage, data: Wire.json(stage[:data], "data", "queue_put"), remaining: stage[:retries] }
        job = Job.of_reserved({ **fields, token: "inline", worker: "inline", put_at_ms: now, tracked: false }, holder,
                              Server)
        result = @duties.perform(job)
        job.complete(result) if job.held?
        holder.following
      end

      def now = Process.clock_gettime(Process::CLOCK_REALTIME, :millisecond)

      # Who holds a job that is performed at once: ends it by keeping what follows.
      class Holder
        # @return [Hash{Symbol => Object}, nil] what is to be performed next
        attr_reader :following

        def initialize(stage)
          @stage = stage
        end

        # @see ClientHolder#settle
        def settle(job, verb, fields)
          return "failed" if verb == "fail"
          return "waiting" unless verb == "complete"

          queue, *route = [*fields[:queue], *job.route].first(1 + job.route.size)
          route = job.route if fields[:queue]
          return "completed" unless queue

          @following = { **@stage, queue: queue.to_s, route:, data: next_data(job, fields) }
          "waiting"
        end

        # @see ClientHolder#renew
        def renew(_job) = 60_000

        # @see ClientHolder#drop
        def drop(_job) = nil

        # @see ClientHolder#lost
        def lost(_job) = nil

        private

        def next_data(job, fields)
          data = fields.fetch(:data) { job.data }
          data.is_a?(Wire::Raw) ? Wire.parse(data.text) : data
        end
      end

      # The server of a job that is performed at once: listens to what a handler says of it, and keeps nothing.
      module Server
        ANSWERS = { "job_progress" => "true", "job_log" => "true", "job_save" => "60000" }.freeze

        def self.call(operation, _)
          ANSWERS.fetch(operation) { raise WrongState.new("the job is performed inline: no server", operation:) }
        end
      end
      private_constant :Holder, :Server
    end
  end
end
