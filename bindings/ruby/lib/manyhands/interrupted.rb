# frozen_string_literal: true

module Manyhands
  # Raised in a running handler that should end: its outcome would be refused, or somebody wants it to end.
  #
  # It comes from another thread, at any point of the handler and of the middleware around it, and never outside them.
  # `ensure` parts run; `rescue => e` does not catch it, as it is no StandardError. Who has to finish something first
  # holds it back with `Thread.handle_interrupt(Manyhands::JobInterrupted => :never) { … }`.
  class JobInterrupted < Exception # rubocop:disable Lint/InheritException -- no error of the handler
    # @return [String] expired, cancelled, replaced, finished or unknown when the lease is lost; "timeout" when the
    #   handler ran too long, which spends a retry; "killed" when somebody wants it to end, which spends none
    attr_reader :reason
    # @return [String] its job
    attr_reader :jid

    # @param jid [String]
    # @param reason [String]
    def initialize(jid, reason)
      super("job #{jid} was interrupted: #{reason}")
      @jid = jid
      @reason = reason
    end

    # The interrupt that an exception comes from, if any: an `ensure` part may have raised another.
    #
    # @api private
    # @param exception [Exception, nil]
    # @return [JobInterrupted, nil]
    def self.behind(exception)
      exception = exception.cause until exception.nil? || exception.is_a?(JobInterrupted)
      exception
    end
  end
end
