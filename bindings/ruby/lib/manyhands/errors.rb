# frozen_string_literal: true

# The module of the Manyhands job system.
module Manyhands
  # Base of every error of Manyhands: what went wrong, during what, about which job, and whether to repeat it.
  #
  # Each code of the core has a subclass, named as the code is: `LOCK_LOST` is {LockLost}. They are made from the
  # core's own list; sig/manyhands/errors.rbs spells them.
  #
  # @example
  #   begin
  #     job.complete
  #   rescue Manyhands::LockLost => e
  #     warn "#{e.jid} went to another worker: #{e.reason}"
  #   end
  #
  # Source: core/src/error.rs
  class Error < StandardError
    # @return [Integer] the number that is the same in every language; 0 on the base class itself
    CODE = 0
    # @return [String] the code's name, such as "LOCK_LOST"
    CODE_NAME = "ERROR"
    # @return [Boolean] see {#retryable?}
    RETRYABLE = false
    private_constant :RETRYABLE

    # @return [String, nil] the engine's operation that failed, such as "job_complete", or the worker's own call, such
    #   as "worker_next"; nil where there was none: an option of a client or worker, a URL, a late handler
    attr_reader :operation
    # @return [String, nil] the job it was about
    attr_reader :jid
    # @return [String, nil] for {LockLost} how it was lost: expired, cancelled, replaced, finished or unknown
    attr_reader :reason

    # @param message [String, nil] what happened, naming the argument when one is at fault
    # @param operation [String, nil] the operation that failed
    # @param jid [String, nil] the job it was about
    # @param reason [String, nil] why a lease was lost
    def initialize(message = nil, operation: nil, jid: nil, reason: nil)
      during = operation && " (during #{operation})"
      super("#{code_name}: #{message}#{during}")
      @operation = operation
      @jid = jid
      @reason = reason
    end

    # @return [Integer] the number that is the same in every language
    def code = self.class::CODE

    # @return [String] the code's name, such as "LOCK_LOST"
    def code_name = self.class::CODE_NAME

    # @return [Boolean] true when the same call, repeated later and unchanged, may succeed and cannot do harm
    def retryable? = self.class.const_get(:RETRYABLE)

    # The error that the core wrote as JSON.
    #
    # @api private
    # @param fields [Hash{String => Object}]
    # @return [Error]
    def self.from(fields)
      _, _, class_name, = Native::CODES.assoc(fields.fetch("code"))
      operation, jid, reason = fields.values_at("operation", "jid", "reason")
      Manyhands.const_get(class_name).new(fields["message"], operation:, jid:, reason:)
    end
  end

  Native::CODES.each do |code, code_name, class_name, retryable|
    const_set(class_name, Class.new(Error) do
      const_set(:CODE, code)
      const_set(:CODE_NAME, code_name)
      const_set(:RETRYABLE, retryable)
      private_constant :RETRYABLE
    end)
  end
end
