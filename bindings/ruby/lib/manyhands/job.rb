# frozen_string_literal: true

module Manyhands
  # One unit of work. Comes from a {Worker}, {Queue#reserve} or {Client#job}.
  #
  # Source: core/src/ops/job.rs
  class Job
    # Means "not given" where nil is a value.
    UNCHANGED = Object.new.freeze
    private_constant :UNCHANGED

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
    # @return [Time] when it was put
    attr_reader :put_at
    # @return [String] waiting, scheduled, blocked, throttled, running, failed or completed; of a job in hand: running,
    #   and after its end what became of it
    attr_reader :state
    # @return [String] the data as JSON text, byte for byte as it was put (or as the assignment to {#data=} made it)
    attr_reader :raw_data

    class << self
      # @api private
      # @param fields [Hash{Symbol => Object}] as ext/job.rs makes them
      def of_reserved(fields, holder, native) = new(fields.merge(state: "running", stalled: false), holder, native)

      # @api private
      # @param reply [String] the JSON text of a job view
      def of_view(reply, holder, native)
        view = view(reply)
        new(view, holder, native, view)
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
      @state, @stalled = fields.values_at(:state, :stalled)
      @put_at = Wire.time(fields[:put_at_ms])
      @holder = holder
      @native = native
      @view = view
      @data = @new_data = UNCHANGED
    end

    # @return [Boolean] running, but past the end of its lease
    def stalled? = @stalled

    # The data as Ruby values, with String keys, parsed when first asked for.
    #
    # @return [Object]
    def data
      @data = Wire.parse(raw_data) if UNCHANGED.equal?(@data)
      @data
    end

    # Gives the job new data, which travels with its completion. Changing a part of the old data does not.
    #
    # @param value [Object] anything JSON can say
    # @raise [InvalidArgument] for what JSON cannot say
    def data=(value)
      @raw_data = Wire.json(value, "data", "job_complete")
      @data = @new_data = value
    end

    # The five that follow a job in hand does not carry: the first one asked for reads them all in one call, which
    # releases the GVL. They are empty for a job that exists no more.

    # @return [Object, nil] what its handler returned when it was last completed
    def result = view[:result]

    # @return [Hash{Symbol => Object}, nil] why it failed or had to run again: :group, :message, :trace, :at (a Time)
    #   and :worker
    def failure = Wire.own_units(view[:failure])

    # @return [Time, nil] when a scheduled job becomes due
    def due_at = Wire.time(view[:due_at_ms])

    # @return [Time, nil] when a running job's lease ends
    def lease_until = Wire.time(view[:lease_until_ms])

    # What happened to it, oldest first, at most 100 entries.
    #
    # @return [Array<Hash{Symbol => Object}>] :what (put, reserved, completed, retried, snoozed, failed, lost), :at (a
    #   Time) and what belongs to it: :queue, :worker, :run (seconds), :group
    #
    # Source: core/src/engine/ops/job_get.lua
    def history = Wire.own_units(view.fetch(:history, []))

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
    # @return [String] its new state: "completed", "waiting" or "scheduled"
    # @raise [LockLost] when the lease was lost, with the reason; nothing has changed then
    # @raise [InvalidArgument] naming the argument
    # @raise [WrongState] for a job that nobody holds or that was ended already
    # @example
    #   job.complete({ "pages" => 3 }, queue: "print", delay: 10)
    #
    # Source: core/src/engine/ops/job_complete.lua
    def complete(result = nil, queue: nil, data: UNCHANGED, delay: 0)
      settle("complete", completion(result, queue:, data:, delay:))
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
    # @return [Float] how long the lease now lasts, in seconds
    # @raise [LockLost, WrongState] as {#complete}
    #
    # Source: core/src/engine/ops/job_heartbeat.lua
    def heartbeat
      check_held("job_heartbeat")
      @holder.renew(self) / 1000.0
    end

    # @api private
    # @return [Boolean] whether somebody here still has to end it
    def held? = !(@holder.nil? || @token.nil?)

    # The fields of a completion as the core reads them.
    #
    # @api private
    # @return [Hash{Symbol => Object}]
    def completion(result, queue: nil, data: UNCHANGED, delay: 0)
      data = @new_data if UNCHANGED.equal?(data)
      operation = "job_complete"
      Wire.check(result, "result", operation)
      Wire.check(data, "data", operation) unless UNCHANGED.equal?(data)
      fields = { result:, queue:, delay_ms: Wire.milliseconds(delay, "delay", operation) }.compact
      UNCHANGED.equal?(data) ? fields : fields.merge(data:)
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

    def view
      @view ||= begin
        reply = @native.call("job_get", Wire.object({ jid: }, "job_get"))
        reply == "null" ? {} : self.class.view(reply)
      end
    end
  end
end
