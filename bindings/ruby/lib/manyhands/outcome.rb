# frozen_string_literal: true

module Manyhands
  # Base of {Fail}, {Retry} and {Snooze}: what a handler raises to say how its job goes on, instead of returning. It is
  # an answer of the handler, not an error of the worker.
  class Outcome < StandardError
    # @api private
    # @return [String] the outcome's name in the core
    def verb = raise(NotImplementedError)

    # @api private
    # @return [Hash{Symbol => Object}] its fields as the core reads them
    def fields = raise(NotImplementedError)
  end

  # Give the job up now, whatever retries are left; it is kept in its failure group.
  #
  # @example
  #   worker.perform("resize") do |job|
  #     raise Manyhands::Fail.new("bad-image", "no header") unless valid?(job.data)
  #   end
  #
  # Source: core/src/engine/ops/job_fail.lua
  class Fail < Outcome
    # @return [String] failures that share a cause
    attr_reader :group
    # @return [String] where it happened
    attr_reader :trace

    # @param group [String] 1 to 255 bytes
    # @param message [String] what happened, cut at 16 KiB
    # @param trace [String] where it happened, cut at 16 KiB
    def initialize(group, message = "", trace = "")
      super(message)
      @group = group
      @trace = trace
    end

    # @api private
    def verb = "fail"

    # @api private
    def fields = { group:, message:, trace: }
  end

  # Run the job again and spend one of its retries; without any left it fails in the group `failed-retries-<queue>`.
  #
  # Source: core/src/engine/ops/job_retry.lua
  class Retry < Outcome
    # @return [Integer] milliseconds until it may run
    attr_reader :delay_ms

    # @param delay [Numeric] seconds until it may run, 0 or more, rounded to milliseconds
    # @raise [InvalidArgument] for a delay that is negative or not a finite number
    def initialize(delay = 0)
      @delay_ms = Wire.milliseconds(delay, "delay", "job_retry")
      super("again in #{delay} s")
    end

    # @api private
    def verb = "retry"

    # @api private
    def fields = { delay_ms: }
  end

  # Run the job again later, without spending a retry.
  #
  # Source: core/src/engine/ops/job_snooze.lua
  class Snooze < Outcome
    # @return [Integer] milliseconds until it may run
    attr_reader :delay_ms

    # @param delay [Numeric] seconds until it may run, 0 or more, rounded to milliseconds
    # @raise [InvalidArgument] for a delay that is negative or not a finite number
    def initialize(delay)
      @delay_ms = Wire.milliseconds(delay, "delay", "job_snooze")
      super("later, in #{delay} s")
    end

    # @api private
    def verb = "snooze"

    # @api private
    def fields = { delay_ms: }
  end
end
