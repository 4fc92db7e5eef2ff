# frozen_string_literal: true

require "json"

# So much of the gem activesupport as active_support_test.rb needs, for machines that do not have it.
module ActiveSupport
  # Goes before the `to_json` of every object, as theirs does.
  module ToJsonWithActiveSupportEncoder
    def to_json(options = nil) = options.is_a?(JSON::State) ? super : "of its own"
  end

  # A number of seconds that says it is a number, but is none.
  class Duration
    include Comparable
    attr_reader :value

    def initialize(value)
      super()
      @value = value
    end

    def is_a?(other) = other == Duration || value.is_a?(other)
    def *(other) = Duration.new(value * other)
    def <=>(other) = value <=> (other.instance_of?(Duration) ? other.value : other)
    def coerce(other) = [other, value]
    def respond_to_missing?(...) = value.respond_to?(...)
    def method_missing(...) = value.public_send(...)
  end

  # How a number becomes one.
  module Seconds
    def minutes = Duration.new(self * 60)
  end
end

[Enumerable, Hash, Array, String, Numeric, NilClass, TrueClass, FalseClass, Struct, Object].each do |one|
  one.prepend(ActiveSupport::ToJsonWithActiveSupportEncoder)
end
Numeric.include(ActiveSupport::Seconds)
