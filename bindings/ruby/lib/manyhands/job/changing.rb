# frozen_string_literal: true

module Manyhands
  # What anybody may do to a job, whoever holds it.
  class Job
    REQUEUE = %i[
      queue data delay priority retries tags throttles route headers timeout backoff dependencies missing
    ].freeze
    private_constant :REQUEUE

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
    # @option options [Numeric] :timeout
    # @option options [Backoff, Numeric, Array<Numeric>] :backoff
    # @option options [Array<String>] :dependencies replaces those it has
    # @option options [String] :missing
    # @return [String] its new state: "waiting", "scheduled" or "blocked". Of this object, the rest stays as it was read
    # @raise [JobNotFound, InvalidArgument, UnknownDependency, Cycle, TooDeep]
    #
    # Source: core/src/engine/ops/job_requeue.lua
    def requeue(**options)
      operation = "job_requeue"
      Wire.check_options(options, REQUEUE, operation)
      delay_ms = Wire.span(options[:delay], "delay", operation)
      limits = Wire.limits(options, operation)
      given = { **options.except(:delay, :timeout, :backoff, :data), delay_ms:, **limits }.compact
      state = ask(operation, jid:, **given, **options.slice(:data))
      @queue = Wire.text(given.fetch(:queue, queue), "queue", operation).freeze
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

    private

    # Takes the job out of this program's hands, whose lease an operation has just ended.
    def drop(state)
      @holder.drop(self) if held?
      let_go(state)
    end

    # An operation that changes the job: what is not kept here is read anew when it is asked for.
    def change(operation, **arguments)
      reply = ask(operation, jid:, **arguments)
      @view = nil
      reply
    end
  end
end
