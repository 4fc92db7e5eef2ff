# frozen_string_literal: true

# What the scenarios say in milliseconds, the gem says in seconds and Times.
module Units
  SPANS = %i[mean deviation p50 p99 run interval due_in lease_left ago estimated_wait silent next_due expires
             timeout].freeze
  # Those that may be nil.
  ABSENT = %i[due_at lease_until next_at estimated_wait next_due expires timeout backoff].freeze

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
    when Manyhands::Backoff then ["#{name}_ms", backoff_in_ms(**value.to_h)]
    when nil then [ABSENT.include?(name) ? "#{name}_ms" : name, nil]
    else [name, name == :histogram ? value.map { |upper, count| [milliseconds(upper), count] } : in_ms(value)]
    end
  end

  def in_seconds(fields)
    fields.to_h do |name, value|
      next [name.to_sym, value] unless name.end_with?("_ms")

      [name[..-4].to_sym, name.to_sym == :backoff_ms ? backoff_in_seconds(value) : seconds(value)]
    end
  end

  def backoff_in_ms(jitter:, list: nil, first: nil, factor: nil, most: nil)
    return { first: milliseconds(first), factor:, most: milliseconds(most), jitter: } unless list
    return { list: list.map { |wait| milliseconds(wait) }, jitter: } unless jitter.zero?

    list.one? ? milliseconds(list[0]) : list.map { |wait| milliseconds(wait) }
  end

  def backoff_in_seconds(value)
    case value
    when Array then value.map { |wait| seconds(wait) }
    when Hash
      said = value.transform_keys(&:to_sym)
      return Manyhands::Backoff.list(said.delete(:list).map { |wait| seconds(wait) }, **said) if said.key?(:list)

      said[:most] = seconds(said[:most]) if said.key?(:most)
      Manyhands::Backoff.exponential(seconds(said.delete(:first)), **said)
    else seconds(value)
    end
  end

  def seconds(milliseconds) = milliseconds.is_a?(Numeric) ? milliseconds / 1000.0 : milliseconds

  def milliseconds(seconds) = seconds && (seconds * 1000).round(6)
end
