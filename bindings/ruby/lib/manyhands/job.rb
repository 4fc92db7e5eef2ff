# frozen_string_literal: true

module Manyhands
  # One unit of work. Comes from a {Worker}, {Queue#reserve}, {Client#job} or {Job.build}.
  #
  # Source: core/src/ops/job.rs
  class Job
    # Means "not given" where nil is a value.
    UNCHANGED = Object.new.freeze
    REQUEUE = %i[queue data delay priority retries tags throttles route headers dependencies missing].freeze
    private_constant :UNCHANGED, :REQUEUE

    # @return [String] its id
    attr_reader :jid
    # @return [String] names its handler
    attr_reader :kind
    # @return [String] where it is
    attr_reader :queue
    # @return [Integer] -128 to 127, larger first
    attr_reader :priority
    # @return [Integer] how many times it may run again after its first run
    attr_reader :retries
    # @return [Integer] how many of these are left
    attr_reader :remaining
    # @return [String, nil] who holds it; nil when nobody does
    attr_reader :worker
    # @return [String, nil] proves the lease; nil when nobody holds it
    attr_reader :token
    # @return [Array<String>] its labels
    attr_reader :tags
    # @return [Array<String>] the queues it still goes through after this one
    attr_reader :route
    # @return [Array<String>] the throttles that it holds while it runs
    attr_reader :throttles
    # @return [Hash{String => String}] the texts that go with it through all stages
    attr_reader :headers
    # @return [String, nil] the recurring job that put it
    attr_reader :parent
    # @return [Time] when it was put
    attr_reader :put_at
    # @return [String] waiting, scheduled, blocked, throttled, running, failed or completed; of a job in hand: running,
    #   and after its end what became of it
    attr_reader :state
    # @return [String] the data as JSON text, byte for byte as it was put (or as the assignment to {#data=} made it)
    attr_reader :raw_data

    # The server of a job that was built.
    class NoServer
      def call(operation, _) = raise(WrongState.new("the job was built: it reaches no server", operation:))
    end
    private_constant :NoServer

    class << self
      # Makes a job without a server, to test a handler with. Nobody holds it, so it cannot be completed.
      #
      # @param kind [String] names its handler
      # @param data [Object] anything JSON can say
      # @param jid [String] as in {Queue#put}, like all that follow
      # @param queue [String]
      # @param priority [Integer]
      # @param retries [Integer]
      # @param tags [Array<String>]
      # @param route [Array<String>]
      # @param throttles [Array<String>]
      # @return [Job]
      # @raise [InvalidArgument] for data that JSON cannot say
      # @example
      #   assert_equal "greeted ann", Welcome.perform(Manyhands::Job.build("welcome", { to: "ann" }))
      def build(kind, data = nil, jid: "built", queue: "built", priority: 0, retries: 5, tags: [], route: [],
                throttles: [])
        names = { jid:, kind:, queue: }.to_h { |argument, text| [argument, Wire.text(text, argument.name, nil)] }
        lists = { tags:, route:, throttles: }.to_h do |argument, texts|
          [argument, texts.map { |text| Wire.text(text, argument.name, nil) }]
        end
        fields = { **names, **lists, data: Wire.json(data, "data", nil), priority:, retries:, remaining: retries }
        new({ **fields, tracked: false, state: "running", stalled: false, put_at_ms: 0 }, nil, NoServer.new)
      end

      # @api private
      # @param fields [Hash{Symbol => Object}] as ext/job.rs makes them
      def of_reserved(fields, holder, native) = new(fields.merge(state: "running", stalled: false), holder, native)

      # @api private
      # @param reply [String] the JSON text of a job view; who looked it up does not hold it
      def of_view(reply, native)
        view = view(reply)
        new(view, nil, native, view)
      end

      # @api private
      # @return [Hash{Symbol => Object}] the members of a job view; data stays text
      def view(reply)
        Native.members(reply).to_h { |name, text| [name.to_sym, name == "data" ? text : Wire.parse(text)] }
      end
    end

    # @api private
    def initialize(fields, holder, native, view = nil)
      @jid, @kind, @queue, @raw_data = fields.values_at(:jid, :kind, :queue, :data)
      @priority, @retries, @remaining = fields.values_at(:priority, :retries, :remaining)
      @worker, @token, @tags, @route = fields.values_at(:worker, :token, :tags, :route)
      @throttles, @headers, @parent, @tracked = fields.values_at(:throttles, :headers, :parent, :tracked)
      @state, @stalled = fields.values_at(:state, :stalled)
      @put_at = Wire.time(fields[:put_at_ms])
      @holder = holder
      @native = native
      @view = view
      @data = UNCHANGED
      @data_changed = false
    end

    # @return [Boolean] running, but past the end of its lease
    def stalled? = @stalled

    # @return [Boolean] whether events tell what happens to it
    def tracked? = @tracked

    # The data as Ruby values, with String keys, parsed when first asked for.
    #
    # @return [Object]
    def data
      @data = Wire.parse(raw_data) if UNCHANGED.equal?(@data)
      @data
    end

    # Gives the job new data, which travels with its completion as it is now: changing a part of it later does not, nor
    # does changing a part of the old data.
    #
    # @param value [Object] anything JSON can say
    # @raise [InvalidArgument] for what JSON cannot say
    def data=(value)
      @raw_data = Wire.json(value, "data", "job_complete")
      @data = UNCHANGED
      @data_changed = true
    end

    # What middleware and the handler tell one another during one run of the job. Empty at its begin, never stored.
    #
    # @return [Hash]
    def locals = @locals ||= {}

    # The eight that follow a job in hand does not carry: the first one asked for reads them all in one call, which
    # releases the GVL. They are empty for a job that exists no more. One that was changed here is read anew.

    # @return [Object, nil] what its handler returned when it was last completed
    def result = view[:result]

    # @return [Hash{Symbol => Object}, nil] why it failed or had to run again: :group, :message, :trace, :at (a Time)
    #   and :worker
    def failure = Wire.own_units(view[:failure])

    # @return [Hash{Symbol => Object}, nil] what {#progress} said last: :value, :note and :at (a Time); nil when nothing
    def progressed = Wire.own_units(view[:progress])

    # @return [Time, nil] when a scheduled job becomes due
    def due_at = Wire.time(view[:due_at_ms])

    # @return [Time, nil] when a running job's lease ends
    def lease_until = Wire.time(view[:lease_until_ms])

    # @return [Array<String>] the jids that it still waits for
    def dependencies = view.fetch(:dependencies, [])

    # @return [Array<String>] the jids that wait for it, the first 256
    def dependents = view.fetch(:dependents, [])

    # What happened to it, oldest first, at most 100 entries.
    #
    # @return [Array<Hash{Symbol => Object}>] :what (put, reserved, completed, retried, snoozed, failed, lost,
    #   timed_out, requeued, log), :at (a Time) and what belongs to it: :queue, :worker, :run (seconds), :group,
    #   :message, :data
    #
    # Source: core/src/engine/ops/job_get.lua
    def history
      view.fetch(:history, []).map do |entry|
        { **Wire.own_units(entry.except("data")), **entry.slice("data").transform_keys(&:to_sym) }
      end
    end

    # Why the worker is known to have lost this job. A long handler looks here to stop early: its outcome would be
    # refused. The worker learns of it within 2 s. Only for jobs of a worker; does not ask Redis.
    #
    # @return [String, nil] expired, cancelled, replaced, finished or unknown; nil while the lease holds
    def lost = @holder && @token && @holder.lost(self)

    # Ends the job well. With a route left, or `queue`, it goes on there; else it is completed for good. Releases the
    # GVL.
    #
    # @param result [Object] anything JSON can say; kept with the job. nil: none
    # @param queue [String, nil] the next queue. Default: the route's next, if any
    # @param data [Object] the data for the next queue. Default: unchanged, or what was assigned to {#data=}
    # @param delay [Numeric] seconds before it may be reserved there, 0 or more. Where there is no next queue, the job
    #   is completed at once: there is nothing to wait for, and what was done is not refused
    # @param dependencies [Array<String>, nil] up to 256 jids that it waits for there. Default none
    # @return [String] its new state: "completed", "waiting", "scheduled" or "blocked"
    # @raise [LockLost] when the lease was lost, with the reason; nothing has changed then
    # @raise [Cycle, TooDeep] when jobs would wait for one another, or so many that it cannot be known
    # @raise [InvalidArgument] naming the argument
    # @raise [WrongState] for a job that is not in hand: only looked up, or ended already
    # @note When the engine refuses what a worker's job asks for (a result too long, a cycle), the worker runs the job
    #   again for that error.
    # @example
    #   job.complete({ "pages" => 3 }, queue: "print", delay: 10)
    #
    # Source: core/src/engine/ops/job_complete.lua
    def complete(result = nil, queue: nil, data: UNCHANGED, delay: 0, dependencies: nil)
      settle("complete", completion(result, queue:, data:, delay:, dependencies:))
    end

    # Gives the job up, whatever retries are left; it is kept in its failure group. Releases the GVL.
    #
    # @param group [String] failures that share a cause, 1 to 255 bytes
    # @param message [String] what happened, cut at 16 KiB
    # @param trace [String] where it happened, cut at 16 KiB
    # @return [String] "failed"
    # @raise [LockLost, InvalidArgument, WrongState] as {#complete}
    #
    # Source: core/src/engine/ops/job_fail.lua
    def fail(group, message = "", trace = "")
      settle("fail", { group:, message:, trace: })
    end

    # Puts the job back to run again, and spends one of its retries. Releases the GVL.
    #
    # @param delay [Numeric] seconds before it may be reserved, 0 or more
    # @param group [String, nil] where it fails when no retry is left. Default: `failed-retries-<queue>`
    # @param message [String, nil] what happened, cut at 16 KiB; kept as the job's {#failure}
    # @param trace [String, nil] where it happened, cut at 16 KiB
    # @return [String] "waiting", "scheduled", or "failed" when no retry was left
    # @raise [LockLost, InvalidArgument, WrongState] as {#complete}
    #
    # Source: core/src/engine/ops/job_retry.lua
    def retry(delay = 0, group: nil, message: nil, trace: nil)
      settle("retry", { delay_ms: Wire.milliseconds(delay, "delay", "job_retry"), group:, message:, trace: }.compact)
    end

    # Puts the job back to run again later, without spending a retry. Releases the GVL.
    #
    # @param delay [Numeric] seconds before it may be reserved, 0 or more
    # @return [String] "waiting" or "scheduled"
    # @raise [LockLost, InvalidArgument, WrongState] as {#complete}
    #
    # Source: core/src/engine/ops/job_snooze.lua
    def snooze(delay)
      settle("snooze", { delay_ms: Wire.milliseconds(delay, "delay", "job_snooze") })
    end

    # Gives the job back as if it had not been taken: at its old place, nothing spent, no trace in its history. Releases
    # the GVL.
    #
    # @return [String] "waiting"
    # @raise [LockLost, WrongState] as {#complete}
    #
    # Source: core/src/engine/ops/job_release.lua
    def release = settle("release", {})

    # Renews the lease. A worker does this by itself; who reserves by hand calls it often enough. Releases the GVL.
    #
    # @param data [Object] the job's new data, kept now: whoever runs the job next finds it. Default: unchanged
    # @return [Float] how long the lease now lasts, in seconds
    # @raise [LockLost, InvalidArgument, WrongState] as {#complete}
    #
    # Source: core/src/engine/ops/job_heartbeat.lua, core/src/engine/ops/job_save.lua
    def heartbeat(data: UNCHANGED)
      return save(data) unless UNCHANGED.equal?(data)

      check_held("job_heartbeat")
      @holder.renew(self) / 1000.0
    end

    # Says how far it is; others read it as {#progressed}. Releases the GVL.
    #
    # @param progress [Numeric] 0 to 1
    # @param note [String] at most 1024 bytes
    # @return [void]
    # @raise [LockLost, InvalidArgument, WrongState] as {#complete}
    #
    # Source: core/src/engine/ops/job_progress.lua
    def progress(progress, note = "")
      check_held("job_progress")
      change("job_progress", token:, progress:, note:)
      nil
    end

    # Adds an entry to its history. While it is in this program's hands the lease has to hold. Releases the GVL.
    #
    # @param message [String] 1 to 1024 bytes
    # @param data [Object] what belongs to it, anything JSON can say; with the message at most 1024 bytes. nil: nothing
    # @return [void]
    # @raise [JobNotFound] when it exists no more
    # @raise [LockLost, InvalidArgument] as {#complete}
    #
    # Source: core/src/engine/ops/job_log.lua
    def log(message, data = nil)
      change("job_log", **{ message:, data:, token: (token if held?) }.compact)
      nil
    end

    # What follows anybody may do to a job, whoever holds it.

    # Lets it disappear, in whatever state it is. Who runs it learns it: the lease is lost as cancelled. Releases the
    # GVL.
    #
    # @return [Boolean] whether it was there
    # @raise [HasDependents] when a job waits for it; see {Client#cancel}
    #
    # Source: core/src/engine/ops/job_cancel.lua
    def cancel
      there = ask("job_cancel", jids: [jid]).any?
      drop("cancelled")
      there
    end

    # Places it anew in a queue, from whatever state: at the end of the line, with all its retries. Who runs it loses
    # it. What is not given stays as it is. Releases the GVL.
    #
    # @param options [Hash] see below; nil is the same as not given, except for the data
    # @option options [String] :queue where to. Default: the queue that it is in
    # @option options [Object] :data its new data
    # @option options [Numeric] :delay seconds before it may be reserved, 0 or more. Default 0
    # @option options [Integer] :priority as in {Queue#put}, as the rest
    # @option options [Integer] :retries
    # @option options [Array<String>] :tags
    # @option options [Array<String>] :throttles
    # @option options [Array<String>] :route
    # @option options [Hash{String => String}] :headers
    # @option options [Array<String>] :dependencies replaces those it has
    # @option options [String] :missing
    # @return [String] its new state: "waiting", "scheduled" or "blocked". Of this object, the rest stays as it was read
    # @raise [JobNotFound, InvalidArgument, UnknownDependency, Cycle, TooDeep]
    #
    # Source: core/src/engine/ops/job_requeue.lua
    def requeue(**options)
      operation = "job_requeue"
      Wire.check_options(options, REQUEUE, operation)
      delay_ms = options[:delay] && Wire.milliseconds(options[:delay], "delay", operation)
      given = { **options.except(:delay, :data), delay_ms: }.compact
      state = ask(operation, jid:, **given, **options.slice(:data))
      @queue = Wire.text(given.fetch(:queue, queue), "queue", operation)
      drop(state)
    end

    # Ends the lease of a running job now: a retry is spent and it waits again where it was, or fails when none is left.
    # Who runs it loses it. Releases the GVL.
    #
    # @return [String] "waiting" or "failed"
    # @raise [JobNotFound]
    # @raise [WrongState] when it does not run
    #
    # Source: core/src/engine/ops/job_timeout.lua
    def timeout = drop(ask("job_timeout", jid:))

    # Changes its priority; among its new equals it keeps the order of putting. Releases the GVL.
    #
    # @param priority [Integer] -128 to 127, larger first
    # @return [void]
    # @raise [JobNotFound, InvalidArgument]
    # @raise [WrongState] when it is completed or failed
    #
    # Source: core/src/engine/ops/job_prioritize.lua
    def prioritize(priority)
      change("job_prioritize", priority:)
      @priority = priority
      nil
    end

    # Adds labels. Releases the GVL.
    #
    # @param tags [Array<String>] 1 to 32; the job may have 32 in all
    # @return [Array<String>] those it has now
    # @raise [JobNotFound, InvalidArgument]
    #
    # Source: core/src/engine/ops/job_tag.lua
    def tag(*tags) = @tags = change("job_tag", tags:)

    # Takes labels off; those it does not have are passed over. Releases the GVL.
    #
    # @param tags [Array<String>] 1 to 32
    # @return [Array<String>] those it has now
    # @raise [JobNotFound, InvalidArgument]
    #
    # Source: core/src/engine/ops/job_untag.lua
    def untag(*tags) = @tags = change("job_untag", tags:)

    # From now on events tell what happens to it. Releases the GVL.
    #
    # @return [Boolean] whether it was there and not tracked before
    #
    # Source: core/src/engine/ops/job_track.lua
    def track
      changed = ask("job_track", jids: [jid]) == 1
      @tracked ||= changed
      changed
    end

    # Events no longer tell of it. Releases the GVL.
    #
    # @return [Boolean] whether it was tracked before
    #
    # Source: core/src/engine/ops/job_untrack.lua
    def untrack
      @tracked = false
      ask("job_untrack", jids: [jid]) == 1
    end

    # Lets it wait for other jobs, before it has begun. Releases the GVL.
    #
    # @param on [Array<String>] 1 to 256 jids
    # @param missing [String, nil] what a job is that does not exist: "satisfied" or "reject". Default "satisfied"
    # @return [Array<String>] those that it need not wait for: completed, or unknown
    # @raise [WrongState] when it runs or has ended
    # @raise [JobNotFound, InvalidArgument, UnknownDependency, Cycle, TooDeep]
    #
    # Source: core/src/engine/ops/job_depend.lua
    def depend(*on, missing: nil)
      satisfied = change("job_depend", on:, **{ missing: }.compact)
      @state = "blocked" if (on.map(&:to_s) - satisfied).any?
      satisfied
    end

    # Lets it wait for other jobs no longer. Releases the GVL.
    #
    # @param on [Array<String>] 1 to 256 jids
    # @param all [Boolean] for none, instead of these
    # @return [String] its state now
    # @raise [JobNotFound, InvalidArgument]
    #
    # Source: core/src/engine/ops/job_undepend.lua
    def undepend(*on, all: false)
      given = { on: (on unless on.empty?), all: all || nil }.compact
      @state = change("job_undepend", **given)
    end

    # @see Client#explain
    # @return [Hash{Symbol => Object}, nil]
    def explain = Wire.own_units(ask("job_explain", jid:))

    # @api private
    # @return [Boolean] whether somebody here still has to end it: it was reserved here, not looked up
    def held? = !@holder.nil?

    # The fields of a completion as the core reads them.
    #
    # @api private
    # @return [Hash{Symbol => Object}]
    def completion(result, queue: nil, data: UNCHANGED, delay: 0, dependencies: nil)
      data = Wire::Raw.new(@raw_data) if UNCHANGED.equal?(data) && @data_changed
      operation = "job_complete"
      Wire.check(result, "result", operation)
      Wire.check(data, "data", operation) unless UNCHANGED.equal?(data)
      delay_ms = Wire.milliseconds(delay, "delay", operation)
      fields = { result:, queue:, delay_ms:, dependencies: }.compact
      UNCHANGED.equal?(data) ? fields : fields.merge(data:)
    end

    # What is to become of the job when its run ends with that exception.
    #
    # @api private
    # @param verb [String] "retry" or "fail"
    # @param delay [Numeric] seconds before it runs again
    def rule(exception, verb, delay = 0)
      @ruled = [exception, verb, Wire.milliseconds(delay, "backoff", "job_retry")]
    end

    # The outcome that was ruled for the exception, if any: in the group and with the message of an error.
    #
    # @api private
    # @param described [Hash{Symbol => String}] the exception as {Raised} describes it
    # @return [Hash{String => Hash}, nil]
    def ruled(exception, described)
      for_it, verb, delay_ms = @ruled
      return unless exception.equal?(for_it)

      failure = { group: "#{kind}:#{described[:class]}", **described.slice(:message, :trace) }
      { verb => verb == "retry" ? { delay_ms:, **failure } : failure }
    end

    # Takes the job out of this program's hands: its end was told, or cannot be.
    #
    # @api private
    def let_go(state)
      @holder = @view = nil
      @state = state
    end

    # @return [String]
    def inspect = "#<#{self.class} #{jid} #{kind.inspect} in #{queue.inspect}, #{state}>"

    private

    def settle(verb, fields)
      check_held("job_#{verb}")
      let_go(@holder.settle(self, verb, fields))
    rescue LockLost
      let_go("lost")
      raise
    end

    def check_held(operation)
      raise WrongState.new("job #{jid} is #{state}, not in this program's hands", operation:, jid:) unless held?
    end

    # Keeps new data and renews the lease; the seconds it now lasts.
    def save(data)
      check_held("job_save")
      lease_ms = change("job_save", token:, data:)
      @raw_data = Wire.json(data, "data", "job_save")
      @data = UNCHANGED
      @data_changed = false
      Wire.seconds(lease_ms)
    end

    # Takes the job out of this program's hands, whose lease an operation has just ended.
    def drop(state)
      @holder.drop(self) if held?
      let_go(state)
    end

    def ask(operation, **arguments) = Wire.parse(@native.call(operation, Wire.object(arguments, operation)))

    # An operation that changes the job: what is not kept here is read anew when it is asked for.
    def change(operation, **arguments)
      reply = ask(operation, jid:, **arguments)
      @view = nil
      reply
    end

    def view
      @view ||= begin
        reply = @native.call("job_get", Wire.object({ jid: }, "job_get"))
        reply == "null" ? {} : self.class.view(reply)
      end
    end
  end
end
