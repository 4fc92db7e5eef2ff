# frozen_string_literal: true

module Manyhands
  # A named line of jobs. Get it by {Client#queue}.
  class Queue
    RESERVE = "queue_reserve"
    private_constant :RESERVE

    # @return [String]
    attr_reader :name

    # @api private
    def initialize(client, name)
      @client = client
      @name = name
    end

    # Places one job in this queue. From the return on it is kept until it is completed or cancelled. Releases the GVL.
    #
    # @param kind [String] names the handler that will perform it, 1 to 255 bytes
    # @param data [Object] anything JSON can say, up to the `max-data` setting (1 MiB)
    # @param options [Hash] see below; nil is the same as not given
    # @option options [String] :jid the job's id, 1 to 255 bytes. Default: a new UUID
    # @option options [Integer] :priority -128 to 127, larger first. Default 0
    # @option options [Numeric] :delay seconds before it may be reserved, 0 or more. Default 0
    # @option options [Integer] :retries how many times it may run again, 0 to 255. Default 5
    # @option options [Array<String>] :tags up to 32 labels. Default none
    # @option options [Array<String>] :route up to 64 queues it goes through after this one, one completion each.
    #   Default none
    # @option options [Array<String>] :throttles ids of up to 32 throttles ({Client#throttle}) that it holds while it
    #   runs. Default none
    # @option options [Hash{String => String}] :headers up to 32 texts, 4 KiB with their names, that go with it through
    #   all stages, such as a trace's context. Default none
    # @option options [Numeric] :timeout seconds that a run of it may take, 0.001 or more, whatever its kind and worker
    #   say; see {Worker#perform}. Default: as these say
    # @option options [Backoff, Numeric, Array<Numeric>] :backoff how long it waits after a run that failed, before what
    #   its kind says, but after {RetryRules}. Not a function. Default: as its kind says, else 1 s to 1 h, doubling
    # @option options [Array<String>] :dependencies jids of up to 256 jobs that must be completed before it may run;
    #   earlier jobs of the same call count as existing. Default none
    # @option options [String] :missing what a dependency is that does not exist: "satisfied" or "reject". Default
    #   "satisfied"
    # @option options [String] :on_conflict when the jid exists: "replace" (unless it is running, then keep), "move"
    #   (always replace), "keep" or "reject". Default "replace"
    # @return [Placed] (or what middleware returned as the first, see {Client#use})
    # @raise [InvalidArgument] naming the argument, before anything is written
    # @raise [JobExists] when the jid exists and `on_conflict` is "reject"
    # @raise [UnknownDependency] when a dependency does not exist and `missing` is "reject"
    # @raise [Cycle, TooDeep] when jobs would wait for one another, or so many that it cannot be known
    # @raise [OutOfMemory] when Redis is full
    # @example
    #   client.queue("mail").put("welcome", { to: "ann@example.com" }, delay: 1.5)
    #
    # Source: core/src/engine/ops/queue_put.lua
    def put(kind, data = nil, **options)
      @client.place(@name, [options.merge(kind:, data:)], Placing::ONE).first
    end

    # Places several jobs in this queue, in their order; when an argument is bad, none of them. Releases the GVL.
    #
    # Up to 250 jobs, with up to 250 tags and throttles in all (each dependency counted twice) and 8 MiB of data, are
    # one step: all or none. More, or jobs that replace some with more, go by several steps, and an error then says how
    # many jobs are put.
    #
    # @param jobs [Array<Hash{Symbol => Object}>] 1 or more of the arguments of {#put} by name; `:kind` is required
    # @return [Array<Placed>] one per job, in order
    # @raise [InvalidArgument] naming the argument, of several jobs as `jobs[3].priority`
    # @raise [UnknownDependency, Cycle, TooDeep] as {#put}
    # @example
    #   client.queue("mail").put_many([{ kind: "welcome", data: 1 }, { kind: "bye", data: 2, priority: 5 }])
    #
    # Source: core/src/engine/ops/queue_put.lua
    def put_many(jobs) = @client.place(@name, jobs, Placing::MANY)

    # Takes up to `limit` jobs of this queue under a lease. Does not wait: a {Worker} does. Releases the GVL.
    #
    # The lease is as long as the queue's `heartbeat` setting (seconds); {Job#heartbeat} renews it. Larger priority
    # first, then first put; a job whose lease ran out keeps its old place. A paused or fully throttled queue gives
    # none.
    #
    # @param limit [Integer] 1 to 250; fewer come back when the queue holds fewer
    # @param worker [String, nil] the name that holds the lease. Default: host:pid:random, the same for all calls of
    #   this client in this process
    # @return [Array<Job>] empty when there is none
    # @raise [InvalidArgument] for a bad limit
    # @example
    #   client.queue("mail").reserve(10).each { |job| job.complete }
    #
    # Source: core/src/engine/ops/queue_reserve.lua
    def reserve(limit = 1, worker: nil)
      worker &&= Wire.text(worker, "worker", RESERVE)
      native = @client.native
      holder = ClientHolder.new(native)
      native.reserve(Wire.text(@name, "queue", RESERVE), Wire.integer(limit, "limit", RESERVE), worker).map do |fields|
        Job.new(fields, holder, native)
      end
    end

    # Counts its jobs by state. Releases the GVL.
    #
    # @return [Hash{Symbol => Integer, Boolean}] :waiting, :scheduled, :blocked, :throttled, :running, :stalled,
    #   :recurring, and :paused
    #
    # Source: core/src/engine/ops/queue_counts.lua
    def counts = Wire.own_units(@client.call("queue_counts", { queue: @name }))

    # The figures of one day: wait and run times in seconds, failures and retries. Releases the GVL.
    #
    # @param day [String, #iso8601, nil] "YYYY-MM-DD" or a Date, in UTC. Default: today. Kept for the `stats-history`
    #   setting (30 days)
    # @return [Hash{Symbol => Object}] :wait and :run, each with :count, :mean, :deviation, :p50, :p99 (seconds) and
    #   :histogram (pairs of the bucket's upper end in seconds, nil for the last, and the number of jobs); :failures, of
    #   which :failed are failed still, and :retries
    # @raise [InvalidArgument] for something else than a day
    #
    # Source: core/src/engine/ops/queue_stats.lua
    def stats(day = nil)
      day = day.iso8601 if day.respond_to?(:iso8601)
      stats = Wire.own_units(@client.call("queue_stats", { queue: @name, day: }.compact))
      stats.values_at(:wait, :run).each do |sample|
        sample[:histogram] = sample[:histogram].map { |upper_ms, count| [Wire.seconds(upper_ms), count] }
      end
      stats
    end

    # How many jobs are in it, in whatever state; recurring jobs are not counted. Releases the GVL.
    #
    # @return [Integer]
    #
    # Source: core/src/engine/ops/queue_length.lua
    def length = @client.call("queue_length", { queue: @name })

    # The jobs that would be reserved next, without reserving them. Releases the GVL.
    #
    # @param offset [Integer] how many to skip, as in all that follow
    # @param limit [Integer] 1 to 250, as in all that follow
    # @return [Array<Job>]
    #
    # Source: core/src/engine/ops/queue_peek.lua
    def peek(offset: 0, limit: 25)
      found, rest = @client.pictures("queue_peek", { queue: @name, offset:, limit: })
      found.concat(@client.pictures_of_rest(rest)).compact
    end

    # Its jobs in one state: next to run, to become due or to expire first. Releases the GVL.
    #
    # @param state [String] waiting, scheduled, blocked, throttled, running, stalled or recurring
    # @return [JidPage]
    # @raise [InvalidArgument] for another state
    #
    # Source: core/src/engine/ops/job_list.lua
    def jobs(state, offset: 0, limit: 25) = JidPage.ask(@client, "job_list", { queue: @name, state:, offset:, limit: })

    # Lets nothing more be reserved from it; running jobs go on. Releases the GVL.
    #
    # @return [Boolean] whether it was not paused before
    #
    # Source: core/src/engine/ops/queue_pause.lua
    def pause = change("queue_pause")

    # Lets it be served again. Releases the GVL.
    #
    # @return [Boolean] whether it was paused before
    #
    # Source: core/src/engine/ops/queue_unpause.lua
    def unpause = change("queue_unpause")

    # Drops it, empty, from the list of queues, with its pause, settings and throttle. Its next job brings it back.
    # Releases the GVL.
    #
    # @return [Boolean] whether it was known
    # @raise [WrongState] when it still has jobs or recurring jobs
    #
    # Source: core/src/engine/ops/queue_forget.lua
    def forget = change("queue_forget")

    # @return [Throttle] its own: how many of its jobs run at once
    def throttle = Throttle.new(@client, queue: @name)

    # Its recurring jobs, next first, paused ones last. Releases the GVL.
    #
    # @return [Page] of {Recurring}
    #
    # Source: core/src/engine/ops/recurring_list.lua
    def recurring(offset: 0, limit: 25)
      arguments = Wire.object({ queue: @name, offset:, limit: }, "recurring_list")
      total, jobs = Native.members(@client.native.call("recurring_list", arguments)).values_at("total", "jobs")
      Page.new(Integer(total), Native.items(jobs).map { |text| Recurring.of_view(@client, text) })
    end

    # From now on puts a job every interval: one for each that has passed, even when nobody looked. Its jobs are called
    # `<jid>-1`, `<jid>-2` and so on. Releases the GVL.
    #
    # @param kind [String] as in {#put}
    # @param data [Object] as in {#put}
    # @param options [Hash] see below; nil is the same as not given
    # @option options [Numeric] :interval seconds from one job to the next, 0.001 or more; required
    # @option options [String] :jid its id, 1 to 235 bytes; one that exists is replaced and counts on. Default: a new
    #   UUID
    # @option options [Numeric] :offset seconds until the first, 0 or more. Default 0
    # @option options [Integer] :backlog how many of those that were missed are put at most; 0: all. Default 0
    # @option options [Integer] :priority of its jobs, and the rest as in {#put}
    # @option options [Integer] :retries
    # @option options [Array<String>] :tags
    # @option options [Array<String>] :throttles
    # @option options [Array<String>] :route
    # @option options [Hash{String => String}] :headers
    # @option options [Numeric] :timeout
    # @option options [Backoff, Numeric, Array<Numeric>] :backoff
    # @return [Recurring]
    # @raise [InvalidArgument] naming the argument
    # @example
    #   client.queue("mail").put_recurring("digest", { to: "all" }, interval: 86_400, jid: "daily-digest")
    #
    # Source: core/src/engine/ops/recurring_put.lua
    def put_recurring(kind, data = nil, **options) = Recurring.put(@client, @name, kind, data, options)

    # @return [String]
    def inspect = "#<#{self.class} #{name.inspect}>"

    private

    # Whether it was changed. The operation takes many queues, and this is its only one.
    def change(operation)
      @client.call(operation, { queues: [@name] }) == 1
    rescue InvalidArgument => e
      raise e.exception(e.message.sub("queues[0]", "queue"))
    end
  end
end
