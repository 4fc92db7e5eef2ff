# frozen_string_literal: true

# What the scenarios say in milliseconds, the gem says in seconds and Times.
module Units
  SPANS = %i[mean deviation p50 p99 run interval due_in lease_left ago estimated_wait silent next_due expires].freeze
  ABSENT = %i[due_at lease_until next_at estimated_wait next_due expires].freeze # those that may be nil

  module_function

  def in_ms(value)
    case value
    when Hash then value.to_h { |name, member| member_in_ms(name, member) }
    when Array then value.map { |item| in_ms(item) }
    else value
    end
  end

  def member_in_ms(name, value)
    case value
    when Time then ["#{name}_ms", (value.to_r * 1000).to_i]
    when Numeric then SPANS.include?(name) ? ["#{name}_ms", milliseconds(value)] : [name, value]
    when nil then [ABSENT.include?(name) ? "#{name}_ms" : name, nil]
    else [name, name == :histogram ? value.map { |upper, count| [milliseconds(upper), count] } : in_ms(value)]
    end
  end

  def in_seconds(fields)
    fields.to_h do |name, value|
      next [name.to_sym, value] unless name.end_with?("_ms")

      [name[..-4].to_sym, value.is_a?(Numeric) ? value / 1000.0 : value]
    end
  end

  def milliseconds(seconds) = seconds && (seconds * 1000).round(6)
end
