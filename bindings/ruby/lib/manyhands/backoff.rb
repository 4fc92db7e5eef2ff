# frozen_string_literal: true

module Manyhands
  # How long a job waits before it runs again after an error, by the number of errors.
  #
  # Wherever one is expected, a number stands for {.fixed}, an Array for {.list}, and anything with `call(errors)` for
  # what it returns, in seconds. What that raises is logged, and the job waits as without a backoff. With a job
  # ({Queue#put}) goes no function: whoever performs it may be another program.
  #
  # Source: core/src/backoff.rs
  class Backoff
    # What one that goes with a job may say at most.
    MOST_WAITS = 64
    MOST_FACTOR = 1000
    # The parts of a function, as far as others can know them.
    UNKNOWN = {}.freeze
    private_constant :MOST_WAITS, :MOST_FACTOR, :UNKNOWN

    class << self
      # Doubles (or grows by `factor`) with each error.
      #
      # @param first [Numeric] seconds after the first error
      # @param factor [Numeric] 1 or more; with a job at most 1000
      # @param most [Numeric] seconds it never exceeds
      # @param jitter [Numeric] 0 to 1: the share by which a wait is longer or shorter at random
      # @return [Backoff]
      def exponential(first = 1, factor: 2, most: 3600, jitter: 0.1)
        Wire.refuse("factor must be 1 or more, not #{factor.inspect}", nil) unless factor.is_a?(Numeric) && factor >= 1

        [[first, "first"], [most, "most"]].each { |span, argument| Wire.milliseconds(span, argument, nil) }
        new(jitter, { first:, factor:, most: }) { |errors| grown(first, factor, errors - 1, most) }
      end

      # The same after each error.
      #
      # @param seconds [Numeric]
      # @param jitter [Numeric] as in {.exponential}
      # @return [Backoff]
      def fixed(seconds, jitter: 0) = one(seconds, jitter, "backoff", nil)

      # One after the other; the last for all that follow.
      #
      # @param seconds [Array<Numeric>] 1 or more; with a job at most 64
      # @param jitter [Numeric] as in {.exponential}
      # @return [Backoff]
      def list(seconds, jitter: 0)
        Wire.check_class(seconds, "backoff", Array)
        many(seconds, jitter, "backoff", nil)
      end

      # @api private
      # @param value [Backoff, Numeric, Array<Numeric>, #call]
      # @param argument [String] what the error calls it
      # @param operation [String, nil] what it is for
      # @return [Backoff]
      # @raise [InvalidArgument] for anything else
      def of(value, argument = "backoff", operation = nil)
        return value if value.is_a?(Backoff)
        # ActiveSupport's durations say that they are numbers, but not to `case`.
        return one(value, 0, argument, operation) if value.is_a?(Numeric)
        return many(value, 0, argument, operation) if value.is_a?(Array)
        return new(0) { |errors| value.call(errors) } if value.respond_to?(:call)

        wanted = "seconds, an Array of them or a Manyhands::Backoff"
        Wire.refuse("#{argument} must be #{wanted}, not #{value.inspect}", operation)
      end

      # Reads what {#to_wire} made, here or in another language.
      #
      # @api private
      # @param text [String, nil] JSON
      # @return [Backoff, nil] nil of null
      def of_wire(text)
        case value = text && Wire.parse(text)
        when Integer then fixed(Wire.seconds(value))
        when Array then list(in_seconds(value))
        when Hash then of_object(value.transform_keys(&:to_sym))
        end
      end

      private

      # As Floats: too large a one is infinite, and so more than `most`, where an Integer would take its time.
      def grown(first, factor, times, most)
        first.zero? ? 0 : [first * (factor.to_f**times), most].min
      end

      def one(seconds, jitter, argument, operation)
        Wire.milliseconds(seconds, argument, operation)
        listed([seconds], jitter)
      end

      def many(seconds, jitter, argument, operation)
        Wire.refuse("#{argument} is empty", operation) if seconds.empty?

        seconds.each_with_index { |span, index| Wire.milliseconds(span, "#{argument}[#{index}]", operation) }
        listed(seconds.dup, jitter)
      end

      def listed(seconds, jitter)
        new(jitter, { list: seconds.freeze }) { |errors| seconds[[errors, seconds.size].min - 1] }
      end

      def of_object(said)
        return list(in_seconds(said[:list]), jitter: said.fetch(:jitter, 0)) if said.key?(:list)

        most = Wire.seconds(said[:most])
        exponential(Wire.seconds(said[:first]), **said.slice(:factor, :jitter), **{ most: }.compact)
      end

      def in_seconds(list) = list.map { |milliseconds| Wire.seconds(milliseconds) }
    end

    # @param jitter [Numeric] as in {.exponential}
    # @param parts [Hash] what the function is made of, when that is known
    # @yieldparam errors [Integer] 1 or more
    # @yieldreturn [Numeric] seconds
    def initialize(jitter = 0, parts = UNKNOWN, &seconds)
      unless jitter.is_a?(Numeric) && jitter.between?(0, 1)
        Wire.refuse("jitter must be 0 to 1, not #{jitter.inspect}", nil)
      end
      @jitter = jitter
      @parts = parts
      @seconds = seconds
    end

    # @param errors [Integer] how many there were, this one included
    # @return [Numeric] seconds to wait
    def delay(errors) = @seconds.call(errors) * (1 + (@jitter * ((2 * rand) - 1)))

    # What it is made of.
    #
    # @return [Hash{Symbol => Object}] :first, :factor and :most, or :list, all but the factor in seconds; and :jitter,
    #   which is all there is of a function
    def to_h = { **@parts, jitter: @jitter }

    # @param other [Object]
    # @return [Boolean] whether it is made of the same; a function is equal to itself alone
    def ==(other) = equal?(other) || (other.instance_of?(self.class) && @parts.any? && to_h == other.to_h)
    alias eql? ==

    # @return [Integer] the same for those that are equal, so that they are one key of a Hash
    def hash
      # Equal numbers of different classes have different hashes.
      @parts.any? ? [self.class, *to_h.values.flatten.map(&:to_f)].hash : super
    end

    # @return [String]
    def inspect = "#<#{self.class} #{@parts.any? ? to_h : 'of a function'}>"

    # The errors of a job that has just raised one.
    #
    # @api private
    # @param job [Job]
    # @return [Numeric] seconds to wait
    def after(job) = delay(job.retries - job.remaining + 1)

    # As it goes with a job: milliseconds, a list of them, or an object.
    #
    # @api private
    # @param argument [String] what the error calls it
    # @param operation [String, nil] what it is for
    # @return [Integer, Array<Integer>, Hash{Symbol => Object}]
    # @raise [InvalidArgument] for what cannot go
    def to_wire(argument, operation)
      list, first, factor, most = @parts.values_at(:list, :first, :factor, :most)
      refusal = refusal(list, factor)
      Wire.refuse("#{argument} #{refusal}", operation) if refusal

      return listed_to_wire(list.map { |span| Wire.milliseconds(span, argument, operation) }) if list

      first, most = [first, most].map { |span| Wire.milliseconds(span, argument, operation) }
      { first:, factor: number(factor), most:, jitter: number(@jitter) }
    end

    private

    def refusal(list, factor)
      if @parts.empty?
        "is a function, which cannot go with a job: say seconds, an Array of them or a Manyhands::Backoff of these"
      elsif list && list.size > MOST_WAITS
        "has #{list.size} entries, at most #{MOST_WAITS} are allowed"
      elsif factor && factor > MOST_FACTOR
        "grows by the factor #{factor}, at most #{MOST_FACTOR} is allowed"
      end
    end

    def listed_to_wire(list)
      return { list:, jitter: number(@jitter) } unless @jitter.zero?

      list.one? ? list.first : list
    end

    # JSON has no others.
    def number(numeric) = numeric.is_a?(Integer) ? numeric : numeric.to_f
  end
end
