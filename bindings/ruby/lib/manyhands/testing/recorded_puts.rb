# frozen_string_literal: true

require "securerandom"

module Manyhands
  module Testing
    # What stands in for the server where a client's puts go.
    #
    # @api private
    class Diversion
      # @param client [Client]
      def initialize(client)
        @client = client
      end

      # Puts come here from now on.
      def begin
        @before = @client.diversion
        @client.diversion = self
      end

      # The client puts again as it did before.
      #
      # @return [void]
      def stop
        @client.diversion = @before if @client.diversion.equal?(self)
        nil
      end

      # @param placing [Placing] what puts on the server
      # @return [#around_put] what is called instead
      def in_place_of(_placing) = self
    end
    private_constant :Diversion

    # One recorded put: jid (its own, or a generated one), queue, kind, data with String keys as a handler gets it, and
    # the options that were given.
    Put = Struct.new(:jid, :queue, :kind, :data, :options)

    # What a client put while it was only recorded. Get it by {Testing.recorded_puts}.
    class RecordedPuts < Diversion
      include Enumerable

      # What a put has beside its kind.
      EXPECTED = [:queue, *(Placing::OPTIONS - [:kind])].freeze
      private_constant :EXPECTED

      # @api private
      def initialize(client)
        super
        @puts = []
        @lock = Mutex.new
      end

      # @yieldparam put [Put] in their order
      def each(&) = @lock.synchronize { @puts.dup }.each(&)

      # Forgets them.
      #
      # @return [void]
      def clear
        @lock.synchronize { @puts.clear }
        nil
      end

      # Those of a kind, queue, data and options; what is not given may be anything.
      #
      # @param kind [String, Symbol, Performs]
      # @param expected [Hash] :queue, :data and the options of {Queue#put}
      # @return [Array<Put>]
      # @raise [InvalidArgument] for what no put has
      def matching(kind, **expected)
        Wire.check_options(expected, EXPECTED, nil)
        kind = kind.kind if kind.is_a?(Performs)
        wanted = { kind: kind.to_s, **expected }
        select { |put| wanted.all? { |name, value| normal(name, value) == of(put, name) } }
      end

      # Fails unless such a job was put.
      #
      # @param kind [String, Symbol, Performs]
      # @param expected [Hash] as in {#matching}
      # @return [Put] the first of them
      # @raise [Minitest::Assertion, RSpec::Expectations::ExpectationNotMetError, RuntimeError] which of them is loaded
      def assert_put(kind, **expected)
        matching(kind, **expected).first || failed("no #{description(kind, expected)} was put, but #{all}")
      end

      # Fails when such a job was put.
      #
      # @param kind [String, Symbol, Performs]
      # @param expected [Hash] as in {#matching}
      # @return [void]
      # @raise as {#assert_put}
      def refute_put(kind, **expected)
        found = matching(kind, **expected)
        failed("#{description(kind, expected)} was put: #{found.map(&:to_h)}") if found.any?
      end

      # @api private
      def around_put(puts)
        Placing.items(puts).each_with_index { |item, index| check(item, puts.one? ? "" : "jobs[#{index}].") }
        recorded = puts.map { |put| record_of(put) }
        @lock.synchronize { @puts.concat(recorded) }
        recorded.map { |put| Placed.new(put.jid, "put", []).freeze }
      end

      private

      # What the core would refuse.
      def check(item, within)
        queue, kind = %i[queue kind].map { |name| Wire.text(item[name], "#{within}#{name}", Placing::OPERATION) }
        options = Wire.object(item.except(:queue, :kind, :data).compact, Placing::OPERATION)
        Native.check_put(queue, kind, options, within)
      end

      def record_of(put)
        jid = put[:jid] || SecureRandom.uuid.delete("-")
        options = put.except(:queue, :kind, :data).compact
        Put.new(jid, put[:queue].to_s, put[:kind].to_s, as_sent(put[:data]), options).freeze
      end

      def of(put, name) = normal(name, put.to_h.fetch(name) { put.options[name] })

      def normal(name, value)
        case name
        when :queue, :kind then value.to_s
        when :backoff then value && Backoff.of(value)
        when :delay then Wire.span(value, "delay", nil)
        when :timeout then Wire.span(value, "timeout", nil, Wire::TIMEOUTS)
        else as_sent(value)
        end
      end

      # As its handler will see it.
      def as_sent(value) = Wire.parse(Wire.json(value, "data", nil))

      def description(kind, expected)
        kind = kind.kind if kind.is_a?(Performs)
        ["\"#{kind}\"", *expected.map { |name, value| "#{name}: #{value.inspect}" }].join(", ")
      end

      def all = none? ? "nothing" : map(&:to_h).join("; ")

      def failed(message)
        raise Minitest::Assertion, message if defined?(Minitest::Assertion)
        raise RSpec::Expectations::ExpectationNotMetError, message if defined?(RSpec::Expectations)

        raise message
      end
    end
  end
end
