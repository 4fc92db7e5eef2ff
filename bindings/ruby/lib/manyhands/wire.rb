# frozen_string_literal: true

require "json"

module Manyhands
  # What crosses into the core: spans as whole milliseconds, values as JSON text; and the way back.
  #
  # @api private
  module Wire
    # Deeper data is refused by the core as well; here the limit ends the walk through data that contains itself.
    DEPTH = 128
    # Ruby's JSON writes any object by its `to_s` through this module; that loses data silently, so we refuse it.
    GENERIC = JSON.generator::GeneratorMethods::Object
    SECOND = 1000.0
    INSTANT = /(\A|_)(at|until)_ms\z/

    private_constant :DEPTH, :GENERIC, :SECOND, :INSTANT

    class << self
      # A span as whole milliseconds.
      #
      # @param seconds [Numeric] 0 or more
      # @param argument [String] what the error calls it
      # @return [Integer]
      # @raise [InvalidArgument] for anything but a finite number of 0 or more
      def milliseconds(seconds, argument)
        unless seconds.is_a?(Numeric) && seconds.real?
          raise InvalidArgument, "#{argument} must be a number of seconds, not #{seconds.class}"
        end
        unless seconds.finite? && seconds >= 0
          raise InvalidArgument, "#{argument} must be 0 or more seconds, not #{seconds}"
        end

        (seconds * 1000).round
      end

      # A value as compact JSON text.
      #
      # @param value [Object] nil, true, false, Integer, finite Float, String, Symbol, Array, Hash with String or
      #   Symbol keys, or an object whose class defines `to_json`
      # @param argument [String] what the error calls it
      # @return [String]
      # @raise [InvalidArgument] for anything JSON cannot say
      def json(value, argument)
        check(value, argument)
        JSON.generate(value, max_nesting: 0)
      end

      # Named arguments as one JSON object; the ones that are nil are left out, and an error names the one at fault.
      #
      # @param arguments [Hash{Symbol => Object}]
      # @return [String]
      # @raise [InvalidArgument]
      def object(arguments)
        given = arguments.compact
        given.each { |name, value| check(value, name.to_s) }
        JSON.generate(given, max_nesting: 0)
      end

      # Refuses what JSON cannot say.
      #
      # @param value [Object]
      # @param argument [String] what the error calls it
      # @raise [InvalidArgument]
      def check(value, argument, depth = 0)
        raise InvalidArgument, "#{argument} is nested deeper than #{DEPTH} levels" if depth > DEPTH

        case value
        when nil, true, false, Integer, Symbol then nil
        when String then check_text(value, argument)
        when Float then check_float(value, argument)
        when Array then value.each { |item| check(item, argument, depth + 1) }
        when Hash then value.each { |key, item| check_member(key, item, argument, depth + 1) }
        else check_object(value, argument)
        end
      end

      # A whole number that fits the core.
      #
      # @param value [Integer]
      # @param argument [String] what the error calls it
      # @return [Integer]
      # @raise [InvalidArgument]
      def integer(value, argument)
        return value if value.is_a?(Integer) && value.bit_length < 64

        raise InvalidArgument, "#{argument} must be a whole number, not #{value.inspect}"
      end

      # A text.
      #
      # @param value [String, Symbol]
      # @param argument [String] what the error calls it
      # @return [String]
      # @raise [InvalidArgument]
      def text(value, argument)
        value = value.name if value.is_a?(Symbol)
        raise InvalidArgument, "#{argument} must be a String, not #{value.class}" unless value.is_a?(String)

        check_text(value, argument)
        value.encoding == Encoding::BINARY ? value.dup.force_encoding(Encoding::UTF_8) : value.encode(Encoding::UTF_8)
      end

      # JSON text as Ruby values, Hash keys as Strings.
      #
      # @param text [String]
      # @return [Object]
      def parse(text) = JSON.parse(text, max_nesting: false)

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

      # Refuses options that nobody knows.
      #
      # @param unknown [Hash] what was left over
      # @raise [InvalidArgument] when something was
      def none_left(unknown)
        return if unknown.empty?

        raise InvalidArgument, "#{unknown.keys.first} is unknown"
      end

      private

      def check_text(text, argument)
        binary = text.encoding == Encoding::BINARY
        utf8 = binary ? text.dup.force_encoding(Encoding::UTF_8) : text.encode(Encoding::UTF_8)
        raise InvalidArgument, "#{argument} holds text that is not UTF-8" unless utf8.valid_encoding?
      rescue EncodingError
        raise InvalidArgument, "#{argument} holds text that cannot be written in UTF-8"
      end

      def check_float(number, argument)
        raise InvalidArgument, "#{argument} holds #{number}, which JSON cannot say" unless number.finite?
      end

      def check_member(key, value, argument, depth)
        case key
        when Symbol then nil
        when String then check_text(key, argument)
        else raise InvalidArgument, "#{argument} holds the key #{key.inspect}; JSON keys are Strings or Symbols"
        end
        check(value, argument, depth)
      end

      def check_object(value, argument)
        return unless value.method(:to_json).owner == GENERIC

        raise InvalidArgument, "#{argument} holds a #{value.class}, which JSON cannot say"
      end

      def own_member(name, value)
        return [name.to_sym, own_units(value)] unless name.end_with?("_ms")

        [name.delete_suffix("_ms").to_sym, name.match?(INSTANT) ? time(value) : seconds(value)]
      end
    end
  end
  private_constant :Wire
end
