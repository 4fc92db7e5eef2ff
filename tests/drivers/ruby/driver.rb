# frozen_string_literal: true

# Answers the scenario runner through the Ruby gem's public surface. The protocol: tests/README.md.
require "json"
require "manyhands"

# What the scenarios say in milliseconds, the gem says in seconds and Times.
module Units
  SPANS = %i[mean deviation p50 p99 run].freeze
  INSTANTS = %i[due_at lease_until].freeze # those that may be nil

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
    when Numeric then SPANS.include?(name) ? ["#{name}_ms", value * 1000] : [name, value]
    when nil then [INSTANTS.include?(name) ? "#{name}_ms" : name, nil]
    else [name, name == :histogram ? value.map { |upper, count| [upper * 1000, count] } : in_ms(value)]
    end
  end

  def in_seconds(fields)
    fields.to_h { |name, value| name.end_with?("_ms") ? [name[..-4].to_sym, value / 1000.0] : [name.to_sym, value] }
  end
end

# One client and the jobs reserved through it that nobody ended: an operation's name is the method that performs it;
# what has no method of its own goes through the door.
class Session
  include Units

  NAMED = %i[jid kind queue data priority retries remaining token put_at worker tags route].freeze
  VIEWED = [*NAMED, :state, :result, :due_at, :lease_until, :failure, :history].freeze
  SETTINGS_IN_SECONDS = %w[heartbeat grace-period jobs-history stats-history].freeze
  POSITIONAL = {
    complete: %i[result], fail: %i[group message trace], retry: %i[delay], snooze: %i[delay], release: []
  }.freeze

  def initialize(url: nil, **options)
    @client = Manyhands::Client.new(url, **options)
    @held = {}
  end

  def perform(operation, args) = respond_to?(operation) ? public_send(operation, **args) : @client.call(operation, args)

  def queue_put(jobs:)
    return @client.call("queue_put", { jobs: }) unless jobs.uniq { |job| job[:queue] }.one?

    queue = @client.queue(jobs[0][:queue])
    items = jobs.map { |job| in_seconds(job.except(:queue)) }
    one = items[0]
    placed = items.one? ? [queue.put(one[:kind], one[:data], **one.except(:kind, :data))] : queue.put_many(items)
    placed.map { |job| { jid: job.jid, outcome: job.outcome } }
  end

  def queue_reserve(queues:, limit: 1, worker: nil, **others)
    return @client.call("queue_reserve", { queues:, limit:, worker:, **others }) unless queues.one?

    jobs = @client.queue(queues[0]).reserve(limit, worker:)
    jobs.each { |job| @held[[job.jid, job.token]] = job }
    { jobs: jobs.map { |job| described(job, NAMED) } }
  end

  def queue_counts(queue:) = @client.queue(queue).counts
  def queue_stats(queue:, day: nil) = in_ms(@client.queue(queue).stats(day))
  def job_get(jid:) = @client.job(jid)&.then { |job| described(job, VIEWED) }

  # A Job measures its run itself, and ends once: what tells run_ms or a spent token goes through the door.
  POSITIONAL.each do |verb, positional|
    define_method("job_#{verb}") do |jobs:|
      jid, token = jobs[0].values_at(:jid, :token)
      known = jobs.one? && !jobs[0].key?(:run_ms) && @held.delete([jid, token])
      next @client.call("job_#{verb}", { jobs: }) unless known

      fields = in_seconds(jobs[0].except(:jid, :token))
      given = fields.values_at(*positional).compact
      [{ jid:, outcome: known.public_send(verb, *given, **fields.except(*positional)) }]
    end
  end

  def job_heartbeat(jobs:)
    job = jobs.one? && @held[jobs[0].values_at(:jid, :token)]
    job ? [{ jid: job.jid, lease_ms: job.heartbeat * 1000 }] : @client.call("job_heartbeat", { jobs: })
  end

  def config_get(name:, queue: nil)
    @client.config.get(name, queue:).then { |value| SETTINGS_IN_SECONDS.include?(name) ? value * 1000 : value }
  end

  def config_set(name:, value:, queue: nil)
    value /= 1000.0 if value.is_a?(Numeric) && SETTINGS_IN_SECONDS.include?(name)
    @client.config.set(name, value, queue:)
  end

  def close = @client.close

  private

  # Data and result are the user's: their members are not ours to convert.
  def described(job, names)
    fields = names.to_h { |name| [name, job.public_send(name)] }
    own = fields.slice(:data, :result)
    in_ms(fields.except(*own.keys)).merge(own, stalled: job.stalled?)
  end
end

def answer(sessions, label, options, operation, args)
  session = sessions[label] ||= Session.new(**Units.in_seconds(JSON.parse(options)))
  args = JSON.parse(args).transform_keys(&:to_sym)
  args[:jobs]&.map! { |job| job.transform_keys(&:to_sym) }
  { reply: session.perform(operation, args) }
rescue Manyhands::Error => e
  { error: { code: e.code, name: e.code_name, message: e.message, operation: e.operation, jid: e.jid, reason: e.reason,
             retryable: e.retryable? } }
rescue StandardError => e # the runner tells it from one of ours by its name
  { error: { name: e.class.name, message: e.message } }
end

$stdout.sync = true
sessions = {}
$stdin.set_encoding("UTF-8").each_line(chomp: true) do |line|
  puts JSON.generate(answer(sessions, *line.split("\t")), max_nesting: 0)
end
