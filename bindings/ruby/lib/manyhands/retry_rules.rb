# frozen_string_literal: true

module Manyhands
  # Middleware that says by the class of an error when its job runs again, or that it does not.
  #
  # The exception goes on outward as any other, to other middleware, the log and the hooks; only what becomes of the job
  # is decided here. An error that no rule names runs again with growing delays, as without rules.
  #
  # @example
  #   worker.use(Manyhands::RetryRules.new(
  #     retry_on: { Net::OpenTimeout => 30, Faraday::Error => [1, 10, 60],
  #                 StandardError => Manyhands::Backoff.exponential(2, most: 600) },
  #     discard_on: [ActiveRecord::RecordNotFound]
  #   ))
  class RetryRules < Module
    # @param retry_on [Hash{Class => Backoff, Numeric, Array<Numeric>, #call}] how long to wait before the next run, by
    #   class; the first that the error is of counts. It spends a retry, and without any left the job fails
    # @param discard_on [Array<Class>] errors after which the job is given up at once: it fails, whatever retries are
    #   left. These come first
    # @raise [InvalidArgument]
    def initialize(retry_on: {}, discard_on: [])
      super()
      Wire.check_class(retry_on, "retry_on", Hash)
      rules = retry_on.transform_values { |backoff| Backoff.of(backoff) }.freeze
      given_up = Array(discard_on).freeze
      [*rules.keys, *given_up].each do |error|
        Wire.refuse("#{error.inspect} is no class of errors", nil) unless error.is_a?(Module)
      end
      define_method(:around_perform) do |job|
        super(job)
      rescue *given_up => e
        job.rule(e, "fail")
        raise
      rescue *rules.keys => e
        job.rule(e, "retry", rules.find { |error, _| error === e }.last) # rubocop:disable Style/CaseEquality
        raise
      end
    end

    # @return [String]
    def inspect = "#<#{self.class}>"
  end
end
