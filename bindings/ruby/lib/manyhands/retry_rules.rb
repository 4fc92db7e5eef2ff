# frozen_string_literal: true

module Manyhands
  # How long a job waits before it runs again after an error, by the number of errors.
  #
  # Wherever one is expected, a number stands for {.fixed}, an Array for {.list}, and anything with `call(errors)` for
  # what it returns, in seconds. What that raises is logged, and the job waits as without a backoff.
  class Backoff
    class << self
      # Doubles (or grows by `factor`) with each error.
      #
      # @param first [Numeric] seconds after the first error
      # @param factor [Numeric] 1 or more
      # @param most [Numeric] seconds it never exceeds
      # @param jitter [Numeric] 0 to 1: the share by which a wait is longer or shorter at random
      # @return [Backoff]
      def exponential(first = 1, factor: 2, most: 3600, jitter: 0.1)
        Wire.refuse("factor must be 1 or more, not #{factor.inspect}", nil) unless factor.is_a?(Numeric) && factor >= 1

        [[first, "first"], [most, "most"]].each { |span, argument| Wire.milliseconds(span, argument, nil) }
        # Beyond 64 doublings everything is `most`, and a Float would overflow.
        new(jitter) { |errors| [first * (factor**[errors - 1, 64].min), most].min }
      end

      # The same after each error.
      #
      # @param seconds [Numeric]
      # @param jitter [Numeric] as in {.exponential}
      # @return [Backoff]
      def fixed(seconds, jitter: 0) = list([seconds], jitter:)

      # One after the other; the last for all that follow.
      #
      # @param seconds [Array<Numeric>] 1 or more
      # @param jitter [Numeric] as in {.exponential}
      # @return [Backoff]
      def list(seconds, jitter: 0)
        Wire.check_class(seconds, "backoff", Array)
        Wire.refuse("backoff has no seconds", nil) if seconds.empty?

        seconds = seconds.dup.freeze
        seconds.each { |span| Wire.milliseconds(span, "backoff", nil) }
        new(jitter) { |errors| seconds[[errors, seconds.size].min - 1] }
      end

      # @api private
      # @param value [Backoff, Numeric, Array<Numeric>, #call]
      # @return [Backoff]
      # @raise [InvalidArgument] for anything else
      def of(value)
        return value if value.is_a?(Backoff)
        return fixed(value) if value.is_a?(Numeric) # as ActiveSupport's durations say that they are, but not to `case`
        return list(value) if value.is_a?(Array)
        return new(0) { |errors| value.call(errors) } if value.respond_to?(:call)

        Wire.refuse("backoff must be seconds, an Array of them or a Manyhands::Backoff, not #{value.inspect}", nil)
      end
    end

    # @param jitter [Numeric] as in {.exponential}
    # @yieldparam errors [Integer] 1 or more
    # @yieldreturn [Numeric] seconds
    def initialize(jitter = 0, &seconds)
      unless jitter.is_a?(Numeric) && jitter.between?(0, 1)
        Wire.refuse("jitter must be 0 to 1, not #{jitter.inspect}", nil)
      end
      @jitter = jitter
      @seconds = seconds
    end

    # @param errors [Integer] how many there were, this one included
    # @return [Numeric] seconds to wait
    def delay(errors) = @seconds.call(errors) * (1 + (@jitter * ((2 * rand) - 1)))

    # The errors of a job that has just raised one.
    #
    # @api private
    # @param job [Job]
    # @return [Numeric] seconds to wait
    def after(job) = delay(job.retries - job.remaining + 1)
  end

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
