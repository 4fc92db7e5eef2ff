# frozen_string_literal: true

module Manyhands
  # What became of one put.
  #
  # @!attribute [r] jid
  #   @return [String] the job's id, the caller's own or a generated one
  # @!attribute [r] outcome
  #   @return [String] "put", "replaced" (an older job of that jid gave way), "kept" (the older one stays) or, from
  #     {Queue#put_many}, "exists" (refused by `on_conflict: "reject"`)
  Placed = Struct.new(:jid, :outcome)

  # A named line of jobs. Get it by {Client#queue}.
  class Queue
    OPTIONS = %i[kind data jid priority delay retries tags route on_conflict].freeze
    PUT = "queue_put"
    RESERVE = "queue_reserve"
    private_constant :OPTIONS, :PUT, :RESERVE

    # @return [String]
    attr_reader :name

    # @api private
    def initialize(client, native, name)
      @client = client
      @native = native
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
    # @option options [String] :on_conflict when the jid exists: "replace" (unless it is running, then keep), "move"
    #   (always replace), "keep" or "reject". Default "replace"
    # @return [Placed]
    # @raise [InvalidArgument] naming the argument, before anything is written
    # @raise [JobExists] when the jid exists and `on_conflict` is "reject"
    # @raise [OutOfMemory] when Redis is full
    # @example
    #   client.queue("mail").put("welcome", { to: "ann@example.com" }, delay: 1.5)
    #
    # Source: core/src/engine/ops/queue_put.lua
    def put(kind, data = nil, **options)
      placed = put_items([item(options.merge(kind:, data:), "")]).first
      raise Error.from(placed["error"]) if placed["error"]

      placed_of(placed)
    end

    # Places several jobs in this queue in one call; all of them or, when an argument is bad, none. Releases the GVL.
    #
    # @param jobs [Array<Hash{Symbol => Object}>] 1 to 1000 of the arguments of {#put} by name; `:kind` is required
    # @return [Array<Placed>] one per job, in order
    # @raise [InvalidArgument] naming the argument, of several jobs as `jobs[3].priority`
    # @example
    #   client.queue("mail").put_many([{ kind: "welcome", data: 1 }, { kind: "bye", data: 2, priority: 5 }])
    #
    # Source: core/src/engine/ops/queue_put.lua
    def put_many(jobs)
      Wire.refuse("jobs must be an Array, not #{jobs.class}", PUT) unless jobs.is_a?(Array)

      items = jobs.each_with_index.map do |job, index|
        Wire.refuse("jobs[#{index}] must be a Hash, not #{job.class}", PUT) unless job.is_a?(Hash)
        item(job, jobs.one? ? "" : "jobs[#{index}].")
      end
      put_items(items).map { |placed| placed_of(placed) }
    end

    # Takes up to `limit` jobs of this queue under a lease. Does not wait: a {Worker} does. Releases the GVL.
    #
    # The lease is as long as the queue's `heartbeat` setting (seconds); {Job#heartbeat} renews it. Larger priority
    # first, then first put; a job whose lease ran out keeps its old place. A paused or fully throttled queue gives
    # none.
    #
    # @param limit [Integer] 1 to 1000; fewer come back when the queue holds fewer
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
      holder = ClientHolder.new(@native)
      @native.reserve(Wire.text(@name, "queue", RESERVE), Wire.integer(limit, "limit", RESERVE), worker).map do |fields|
        Job.of_reserved(fields, holder, @native)
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
    #   :histogram (pairs of the bucket's upper end in seconds, nil for the last, and the number of jobs); :failures and
    #   :retries
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

    # @return [String]
    def inspect = "#<#{self.class} #{name.inspect}>"

    private

    # One job of a put as the core reads it. `within` says in errors which one it is.
    def item(job, within)
      delay_ms = job[:delay] && Wire.milliseconds(job[:delay], "#{within}delay", PUT)
      job.each do |option, value|
        Wire.refuse("#{within}#{option} is unknown", PUT) unless OPTIONS.include?(option)
        Wire.check(value, "#{within}#{option}", PUT)
      end
      { queue: @name, **job.except(:delay), delay_ms: }
    end

    def put_items(items)
      Wire.parse(@native.call(PUT, JSON.generate({ jobs: items }, max_nesting: 0)))
    end

    def placed_of(placed) = Placed.new(placed.fetch("jid"), placed.fetch("outcome")).freeze
  end
end
