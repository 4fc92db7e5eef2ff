# frozen_string_literal: true

require "json"

module Manyhands
  # What crosses into the core: spans as whole milliseconds, values as JSON text; and the way back.
  #
  # @api private
  module Wire
    # JSON text that stands for a value in what {Wire.object} writes.
    Raw = Struct.new(:text) do
      def to_json(*) = text
    end

    # Deeper data is refused by the core as well; here the limit ends the walk through data that contains itself.
    DEPTH = 128
    # How a text is written: each with a copy, because writing changes it. Making one anew takes as long as writing.
    WRITER = JSON.state.new(max_nesting: 0)
    SECOND = 1000.0
    INSTANT = /(\A|_)(at|until)_ms\z/

    # Milliseconds.
    SPANS = (0..Native::MAX_SPAN_MS)
    # The same of how long a handler may run.
    TIMEOUTS = (1..Native::MAX_SPAN_MS)

    private_constant :DEPTH, :WRITER, :SECOND, :INSTANT, :SPANS

    class << self
      # A span as whole milliseconds. The core would refuse one out of range as well, but by its own name for it, in
      # milliseconds.
      #
      # @param seconds [Numeric]
      # @param argument [String] what the error calls it
      # @param operation [String, nil] what it is for, as in all that follow
      # @param range [Range<Integer>] in milliseconds
      # @return [Integer]
      # @raise [InvalidArgument] for anything but a number in that range
      def milliseconds(seconds, argument, operation, range = SPANS)
        unless seconds.is_a?(Numeric) && seconds.real?
          refuse("#{argument} must be a number of seconds, not #{seconds.class}", operation)
        end
        rounded = (seconds * 1000).round if seconds.finite?
        return rounded if rounded && seconds >= 0 && range.cover?(rounded)

        least, most = range.minmax.map { |bound| format("%.12g", bound / SECOND) }
        refuse("#{argument} must be #{least} to #{most} seconds, not #{seconds}", operation)
      end

      # The same for one that may be absent.
      #
      # @param seconds [Numeric, nil]
      # @return [Integer, nil]
      # @raise [InvalidArgument]
      # @see .milliseconds
      def span(seconds, ...) = seconds.nil? ? nil : milliseconds(seconds, ...)

      # What a job says of its own runs. nil is the same as not given.
      #
      # @param options [Hash{Symbol => Object}] :timeout in seconds and :backoff, if they are given
      # @param within [String] what errors put before the option's name
      # @return [Hash{Symbol => Object}] :timeout_ms and :backoff_ms, those that are given
      # @raise [InvalidArgument]
      def limits(options, operation, within = "")
        timeout, backoff = options.values_at(:timeout, :backoff)
        timeout_ms = span(timeout, "#{within}timeout", operation, TIMEOUTS)
        argument = "#{within}backoff"
        backoff_ms = Backoff.of(backoff, argument, operation).to_wire(argument, operation) unless backoff.nil?
        { timeout_ms:, backoff_ms: }.compact
      end

      # Refuses what is no instance of a class.
      #
      # @param value [Object]
      # @param argument [String] what the error calls it
      # @param wanted [Class]
      # @raise [InvalidArgument]
      def check_class(value, argument, wanted)
        return if value.is_a?(wanted)

        article = wanted.name.match?(/\A[AEIOU]/) ? "an" : "a"
        refuse("#{argument} must be #{article} #{wanted}, not #{value.class}", nil)
      end

      # A value as compact JSON text.
      #
      # @param value [Object] nil, true, false, Integer, finite Float, String, Symbol, Array, Hash with String or
      #   Symbol keys, or an object whose class defines `to_json`
      # @param argument [String] what the error calls it
      # @return [String]
      # @raise [InvalidArgument] for anything JSON cannot say
      def json(value, argument, operation)
        check(value, argument, operation)
        WRITER.dup.generate(value)
      end

      # Named arguments as one JSON object; an error names the one at fault.
      #
      # @param arguments [Hash{Symbol => Object}]
      # @return [String]
      # @raise [InvalidArgument]
      def object(arguments, operation)
        return "{}" if arguments.empty?

        arguments.each { |name, value| check(value, name.to_s, operation) }
        WRITER.dup.generate(arguments)
      end

      # Refuses what JSON cannot say.
      #
      # @param value [Object]
      # @param argument [String] what the error calls it
      # @raise [InvalidArgument]
      def check(value, argument, operation, depth = 0)
        refuse("#{argument} is nested deeper than #{DEPTH} levels", operation) if depth > DEPTH

        case value
        when String then check_text(value, argument, operation)
        when nil, true, false, Integer, Symbol then nil
        when Float then check_float(value, argument, operation)
        when Array then value.each { |item| check(item, argument, operation, depth + 1) }
        when Hash then value.each { |key, item| check_member(key, item, argument, operation, depth + 1) }
        else check_object(value, argument, operation)
        end
      end

      # A whole number that fits the core.
      #
      # @param value [Integer]
      # @param argument [String] what the error calls it
      # @return [Integer]
      # @raise [InvalidArgument]
      def integer(value, argument, operation)
        return value if value.is_a?(Integer) && value.bit_length < 64

        refuse("#{argument} must be a whole number, not #{value.inspect}", operation)
      end

      # A text.
      #
      # @param value [String, Symbol]
      # @param argument [String] what the error calls it
      # @return [String]
      # @raise [InvalidArgument]
      def text(value, argument, operation)
        value = value.name if value.is_a?(Symbol)
        refuse("#{argument} must be a String, not #{value.class}", operation) unless value.is_a?(String)

        check_text(value, argument, operation)
        value.encoding == Encoding::BINARY ? value.dup.force_encoding(Encoding::UTF_8) : value.encode(Encoding::UTF_8)
      end

      # JSON text as Ruby values, Hash keys as Strings.
      #
      # @param text [String]
      # @return [Object]
      def parse(text)
        JSON.parse(text)
      rescue JSON::NestingError # beyond 100 levels, which are seldom: an option costs half as much as the parsing
        JSON.parse(text, max_nesting: false)
      end

      # A reply in Ruby's units and names, at any depth: an instant (`at_ms`, `put_at_ms`, `lease_until_ms`) becomes a
      # Time, any other `_ms` a Float of seconds, and the names lose their `_ms` and become Symbols.
      #
      # @param reply [Object] parsed JSON
      # @return [Object]
      def own_units(reply)
        case reply
        when Hash then reply.to_h { |name, value| own_member(name, value) }
        when Array then reply.map { |item| own_units(item) }
        else reply
        end
      end

      # A span.
      #
      # @param milliseconds [Numeric, nil]
      # @return [Float, nil]
      def seconds(milliseconds) = milliseconds && (milliseconds / SECOND)

      # An instant.
      #
      # @param milliseconds [Integer, nil] since 1970, UTC
      # @return [Time, nil]
      def time(milliseconds) = milliseconds && Time.at(milliseconds / 1000, milliseconds % 1000, :millisecond)

      # Text that may hold anything (an exception's message) as UTF-8.
      #
      # @param text [#to_s]
      # @return [String]
      def scrub(text)
        text = text.to_s
        text = text.dup.force_encoding(Encoding::UTF_8) if text.encoding == Encoding::BINARY
        text.encode(Encoding::UTF_8, invalid: :replace, undef: :replace).scrub
      end

      # Refuses options that nobody knows, and those that are not named by Symbols.
      #
      # @param options [Hash]
      # @param known [Array<Symbol>]
      # @param within [String] what errors put before the option's name
      # @raise [InvalidArgument]
      def check_options(options, known, operation, within = "")
        options.each_key { |name| refuse_option(name, operation, within) unless known.include?(name) }
      end

      # Nobody knows an option of that name.
      #
      # @param name [Object]
      # @param within [String] as in {.check_options}
      # @raise [InvalidArgument]
      def refuse_option(name, operation, within)
        why = name.is_a?(Symbol) ? "is unknown" : "is named by a #{name.class}; options are named by Symbols"
        refuse("#{within}#{name} #{why}", operation)
      end

      # An argument is wrong.
      #
      # @param message [String] begins with its name, as the caller knows it
      # @param operation [String, nil] what it was for
      # @raise [InvalidArgument]
      def refuse(message, operation) = raise(InvalidArgument.new(message, operation:))

      private

      def check_text(text, argument, operation)
        return if text.encoding == Encoding::UTF_8 && text.valid_encoding?

        binary = text.encoding == Encoding::BINARY
        utf8 = binary ? text.dup.force_encoding(Encoding::UTF_8) : text.encode(Encoding::UTF_8)
        refuse("#{argument} holds text that is not UTF-8", operation) unless utf8.valid_encoding?
      rescue EncodingError
        refuse("#{argument} holds text that cannot be written in UTF-8", operation)
      end

      def check_float(number, argument, operation)
        refuse("#{argument} holds #{number}, which JSON cannot say", operation) unless number.finite?
      end

      def check_member(key, value, argument, operation, depth)
        case key
        when Symbol then nil
        when String then check_text(key, argument, operation)
        else refuse("#{argument} holds the key #{key.inspect}; JSON keys are Strings or Symbols", operation)
        end
        check(value, argument, operation, depth)
      end

      # A `to_json` that every object has (that of Ruby's JSON, or ActiveSupport's before it) writes its `to_s`: that
      # loses data silently.
      def check_object(value, argument, operation)
        return if value.is_a?(Raw) # it was checked when it was written
        return unless Object <= value.method(:to_json).owner

        refuse("#{argument} holds a #{value.class}, which JSON cannot say", operation)
      end

      def own_member(name, value)
        return [name.to_sym, own_units(value)] unless name.end_with?("_ms")

        [name.delete_suffix("_ms").to_sym, name.match?(INSTANT) ? time(value) : seconds(value)]
      end
    end
  end
  private_constant :Wire
end
