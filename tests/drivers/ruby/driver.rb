# frozen_string_literal: true

# Answers the scenario runner through the Ruby gem's public surface. The protocol: tests/README.md.
require "json"
require "manyhands"

SPANS = %w[heartbeat grace-period jobs-history stats-history].freeze
SECONDS = %i[mean deviation p50 p99 run].freeze
TAKEN = %i[jid kind queue data priority retries remaining token put_at worker tags route].freeze
VIEWED = [*TAKEN, :state, :result, :due_at, :lease_until, :failure, :history].freeze
CLIENTS = {}
HELD = {} # reserved jobs that nobody ended

# A reply in the gem's units as the scenarios write it: times and seconds are milliseconds.
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
  when Numeric then SECONDS.include?(name) ? ["#{name}_ms", value * 1000] : [name, value]
  when nil then [%i[due_at lease_until].include?(name) ? "#{name}_ms" : name, nil]
  else [name, name == :histogram ? value.map { |upper, count| [upper * 1000, count] } : in_ms(value)]
  end
end

# An operation's arguments as a method's.
def in_seconds(fields)
  fields.to_h { |name, value| name.end_with?("_ms") ? [name[..-4].to_sym, value / 1000.0] : [name.to_sym, value] }
end

# Data and result are the user's: their members are not ours to convert.
def described(job, names)
  fields = names.to_h { |name| [name, job.public_send(name)] }
  own = fields.slice(:data, :result)
  in_ms(fields.except(*own.keys)).merge(own, stalled: job.stalled?)
end

def put(client, jobs)
  items = jobs.map { |job| in_seconds(job) }
  queue = client.queue(items.map { |item| item.delete(:queue) }.first)
  placed = items.one? ? [queue.put(items[0].delete(:kind), items[0].delete(:data), **items[0])] : queue.put_many(items)
  placed.map { |one| { jid: one.jid, outcome: one.outcome } }
end

def reserve(label, client, queues:, limit: 1, worker: nil)
  jobs = client.queue(queues[0]).reserve(limit, worker:)
  jobs.each { |job| HELD[[label, job.jid, job.token]] = job }
  { jobs: jobs.map { |job| described(job, TAKEN) } }
end

def end_run(label, verb, jid:, token:, **fields)
  return [{ jid:, lease_ms: HELD[[label, jid, token]].heartbeat * 1000 }] if verb == "heartbeat"

  named = in_seconds(fields)
  plain = { "complete" => [:result], "fail" => %i[group message trace], "retry" => [:delay], "snooze" => [:delay] }
  given = named.values_at(*plain.fetch(verb, [])).compact
  [{ jid:, outcome: HELD.delete([label, jid, token]).public_send(verb, *given, **named.except(*plain[verb])) }]
end

def config(client, verb, name:, value: nil, queue: nil, unit: "ms")
  factor = SPANS.include?(name) && unit == "ms" ? 1000.0 : 1
  return client.config.set(name, value.is_a?(Numeric) && factor > 1 ? value / factor : value, queue:) if verb == "set"

  client.config.get(name, queue:) * factor
end

def perform(label, client, operation, args)
  noun, verb = operation.split("_")
  jobs = args[:jobs] || []
  # A Job measures its run itself, and ends once: what tells run_ms or a spent token goes through the door.
  in_hand = noun == "job" && jobs.one? && !jobs[0].key?(:run_ms) && HELD.key?([label, *jobs[0].values_at(:jid, :token)])
  return end_run(label, verb, **jobs[0]) if in_hand
  return put(client, jobs) if operation == "queue_put" && jobs.uniq { |job| job[:queue] }.one?
  return reserve(label, client, **args) if operation == "queue_reserve" && args[:queues].one?

  case operation
  when "queue_counts" then client.queue(args[:queue]).counts
  when "queue_stats" then in_ms(client.queue(args[:queue]).stats(args[:day]))
  when "job_get" then (job = client.job(args[:jid])) && described(job, VIEWED)
  when /^config_/ then config(client, verb, **args)
  when "close" then client.close
  else client.call(operation, args)
  end
end

def answer(label, options, operation, args)
  CLIENTS[label] ||= in_seconds(JSON.parse(options)).then { |given| Manyhands::Client.new(given[:url], **given.except(:url)) }
  args = JSON.parse(args).transform_keys(&:to_sym)
  args[:jobs]&.map! { |job| job.transform_keys(&:to_sym) }
  { reply: perform(label, CLIENTS[label], operation, args) }
rescue Manyhands::Error => e
  { error: { code: e.code, name: e.code_name, message: e.message, operation: e.operation, jid: e.jid, reason: e.reason,
             retryable: e.retryable? } }
rescue StandardError => e # the runner tells it from one of ours by its name
  { error: { name: e.class.name, message: e.message } }
end

$stdout.sync = true
$stdin.set_encoding("UTF-8").each_line(chomp: true) do |line|
  puts JSON.generate(answer(*line.split("\t")), max_nesting: 0)
end
