# frozen_string_literal: true

module Manyhands
  # What who holds a job does with it: its worker, or who reserved it by hand.
  class Job
    # Bytes.
    MAX_NAME = 255
    private_constant :MAX_NAME

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
      settle("fail", { group:, message:, trace: }).tap { @given_up = Fail.new(group, message, trace) }
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

    # @api private
    # @return [Boolean] whether somebody here still has to end it: it was reserved here, not looked up
    def held? = !@holder.nil?

    # @api private
    # @return [Fail, nil] what {#fail} was told, when that ended the job
    attr_reader :given_up

    # @api private
    # @return [Boolean] whether {#data=} gave it new data, which its end has to tell
    def data_changed? = @data_changed

    # The fields of a completion as the core reads them, its result and data written already: what an object's own
    # `to_json` raises is the handler's error.
    #
    # @api private
    # @return [Hash{Symbol => Object}]
    def completion(result, queue: nil, data: UNCHANGED, delay: 0, dependencies: nil)
      data = Wire::Raw.new(@raw_data) if UNCHANGED.equal?(data) && @data_changed
      operation = "job_complete"
      result = Wire::Raw.new(Wire.json(result, "result", operation)) unless result.nil?
      data = Wire::Raw.new(Wire.json(data, "data", operation)) unless UNCHANGED.equal?(data) || data.is_a?(Wire::Raw)
      delay_ms = Wire.milliseconds(delay, "delay", operation).nonzero?
      fields = { result:, queue:, delay_ms:, dependencies: }.compact
      UNCHANGED.equal?(data) ? fields : fields.merge(data:)
    end

    # What is to become of the job when its run ends with that exception.
    #
    # @api private
    # @param verb [String] "retry" or "fail"
    # @param backoff [Backoff, nil] how long before it runs again
    def rule(exception, verb, backoff = nil)
      @ruled = [exception, verb, backoff]
    end

    # The outcome that was ruled for the exception, if any: in the group and with the message of an error.
    #
    # @api private
    # @param described [Hash{Symbol => String}] the exception as {Raised} describes it
    # @return [Hash{String => Hash}, nil]
    # @raise [Exception] what the backoff raises
    def ruled(exception, described)
      for_it, verb, backoff = @ruled
      return unless exception.equal?(for_it)

      backoff ? after(backoff, described) : { verb => failure_of(described) }
    end

    # The outcome of a failed run after which the job waits for so long.
    #
    # @api private
    # @return [Hash{String => Hash}]
    # @raise [Exception] what the backoff raises
    def after(backoff, described)
      delay_ms = Wire.milliseconds(backoff.after(self), "backoff", "job_retry")
      { "retry" => { delay_ms:, **failure_of(described) } }
    end

    # The group in which it fails after an error of that class, or for another cause; cut where a name ends.
    #
    # @api private
    # @param cause [String]
    # @param of [String]
    # @return [String]
    def failure_group(cause, of = kind) = "#{of}:#{cause}".byteslice(0, MAX_NAME).scrub("")

    # Releases it where its worker cannot any more. An interrupt in here would leave it to its lease.
    #
    # @api private
    # @raise [LockLost] and what else keeps it from that
    def give_back
      Thread.handle_interrupt(Object => :never) { let_go(ClientHolder.new(@native).settle(self, "release", {})) }
    end

    # Takes the job out of this program's hands: its end was told, or cannot be.
    #
    # @api private
    def let_go(state)
      @holder = @view = nil
      @state = state
    end

    private

    def failure_of(described)
      { group: failure_group(described[:class]), **described.slice(:message, :trace) }
    end

    def settle(verb, fields)
      check_held("job_#{verb}")
      let_go(@holder.settle(self, verb, fields))
    rescue LockLost
      let_go("lost")
      raise
    end

    def check_held(operation)
      return if held?

      @native.call(operation, "") if @native.is_a?(NoServer) # which says so
      raise WrongState.new("job #{jid} is #{state}, not in this program's hands", operation:, jid:)
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
  end
end
