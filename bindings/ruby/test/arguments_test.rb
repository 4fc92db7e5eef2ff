# frozen_string_literal: true

require_relative "case"

# What a refusal says: the argument as Ruby knows it, in Ruby's units, and during which operation.
#
# Runs without the check against sig/, as bad_input_test.rb does.
class ArgumentsTest < Case
  # Seconds: a little more than the hundred years that a span may last.
  LONG = 3_155_760_001
  SPAN = "delay must be 0 to 3155760000 seconds, not"

  # What is done to a job in hand, what the refusal says, and the operation.
  ENDS = [
    [->(job) { job.complete(delay: -1) }, "#{SPAN} -1", "job_complete"],
    [->(job) { job.complete(delay: LONG) }, "#{SPAN} #{LONG}", "job_complete"],
    [->(job) { job.complete(queue: "") }, "queue is empty", "job_complete"],
    [->(job) { job.complete(queue: 5) }, "queue 5 is not a text", "job_complete"],
    [->(job) { job.complete(queue: Object.new) }, "queue holds a Object", "job_complete"],
    [->(job) { job.complete(Object.new) }, "result holds a Object", "job_complete"],
    [->(job) { job.complete(data: Object.new) }, "data holds a Object", "job_complete"],
    [->(job) { job.data = Object.new }, "data holds a Object", "job_complete"],
    [->(job) { job.fail("") }, "group is empty", "job_fail"],
    [->(job) { job.fail(5) }, "group 5 is not a text", "job_fail"],
    [->(job) { job.fail("g", Object.new) }, "message holds a Object", "job_fail"],
    [->(job) { job.retry(-1) }, "#{SPAN} -1", "job_retry"],
    [->(job) { job.retry(group: "a\nb") }, "group has a control character", "job_retry"],
    [->(job) { job.retry(message: 5) }, "message 5 is not a text", "job_retry"],
    [->(job) { job.snooze(LONG) }, "#{SPAN} #{LONG}", "job_snooze"]
  ].freeze

  # Options of a put, and what its refusal says.
  PUTS = [
    [{ delay: -1 }, "#{SPAN} -1"],
    [{ delay: LONG }, "#{SPAN} #{LONG}"],
    [{ priority: 128 }, "priority 128 is outside"],
    [{ priority: 1.5 }, "priority 1.5 is not a whole number"],
    [{ data: Object.new }, "data holds a Object"],
    [{ data: "x" * (1 << 20) }, "data has 1048578 bytes"],
    [{ on_conflict: "explode" }, 'on_conflict "explode" is not one of'],
    [{ delay_ms: 5 }, "delay_ms is unknown"]
  ].freeze

  # Calls without a job, what the refusal says, and the operation.
  CALLS = [
    [->(client) { client.queue("").put("k") }, "queue is empty", "queue_put"],
    [->(client) { client.queue("q").put("") }, "kind is empty", "queue_put"],
    [->(client) { client.queue("q").put(7) }, "kind 7 is not a text", "queue_put"],
    [->(client) { client.queue("q").put_many([{ kind: 7 }]) }, "kind 7 is not a text", "queue_put"],
    [->(client) { client.queue("q").put_many([1]) }, "jobs[0] must be a Hash", "queue_put"],
    [->(client) { client.queue("q").put_many(1) }, "jobs must be an Array", "queue_put"],
    [->(client) { client.queue("").reserve }, "queue is empty", "queue_reserve"],
    [->(client) { client.queue(7).reserve }, "queue must be a String", "queue_reserve"],
    [->(client) { client.queue("q").reserve(0) }, "limit 0 is outside 1..1000", "queue_reserve"],
    [->(client) { client.queue("q").reserve(1.5) }, "limit must be a whole number", "queue_reserve"],
    [->(client) { client.queue("q").reserve(worker: "") }, "worker is empty", "queue_reserve"],
    [->(client) { client.queue("").counts }, "queue is empty", "queue_counts"],
    [->(client) { client.queue("q").stats("soon") }, "day ", "queue_stats"],
    [->(client) { client.job("") }, "jid is empty", "job_get"],
    [->(client) { client.job(Object.new) }, "jid holds a Object", "job_get"],
    [->(client) { client.config.get("colour") }, "name colour is not a setting", "config_get"],
    [->(client) { client.config.set("heartbeat", -1) }, "value of heartbeat -1 is outside 0.1..86400 s", "config_set"],
    [->(client) { client.config.set("heartbeat", Float::NAN) }, "value holds NaN", "config_set"],
    [->(client) { client.call("queue_counts", 5) }, "arguments must be a Hash", "queue_counts"],
    [->(client) { client.call(nil) }, "operation must be a String", nil],
    [->(client) { worker(client).next(timeout: LONG) }, "timeout must be 0 to 3155760000 seconds", "worker_next"],
    [->(client) { worker(client).close(timeout: -1) }, "timeout must be 0 to 3155760000 seconds", "worker_stop"],
    [->(_) { Manyhands::Retry.new(-1) }, SPAN, "job_retry"],
    [->(_) { Manyhands::Snooze.new(-1) }, SPAN, "job_snooze"],
    [->(_) { Manyhands::Client.new(timeout: 0) }, "timeout must be 0.001 to 600 seconds, not 0", nil],
    [->(_) { Manyhands::Client.new(timeout: 601) }, "timeout must be 0.001 to 600 seconds, not 601", nil],
    [->(_) { Manyhands::Client.new(namespace: "a b") }, 'namespace "a b" is not', nil],
    [->(_) { Manyhands::Client.new(engine_upgrade: "maybe") }, 'engine_upgrade "maybe" is neither', nil],
    [->(_) { Manyhands::Client.new("redis://localhost:port") }, "url: the port", nil],
    [->(client) { worker(client, queues: []) }, "queues is empty", nil],
    [->(client) { worker(client, queues: ["q", ""]) }, "queues[1] is empty", nil],
    [->(client) { worker(client, threads: 0) }, "threads 0 is outside 1..1000", nil],
    [->(client) { worker(client, strategy: "best") }, "strategy best is unknown", nil],
    [->(client) { worker(client, shutdown_timeout: LONG) }, "shutdown_timeout must be 0 to", nil],
    [->(client) { worker(client).perform("") { nil } }, "kind is empty", nil]
  ].freeze

  def self.worker(client, queues: ["q"], **options) = Manyhands::Worker.new(client, queues:, **options)

  CALLS.each_with_index do |(act, message, operation), index|
    define_method("test_call_#{index}: #{message}") { assert_says(message, operation) { act.call(client) } }
  end

  PUTS.each do |options, message|
    define_method("test_put: #{message}") do
      data = options[:data]
      assert_says(message, "queue_put") { queue.put("k", data, **options.except(:data)) }
      jobs = [{ kind: "k" }, { kind: "k" }, { kind: "k" }, { kind: "k", **options }]
      assert_says("jobs[3].#{message}", "queue_put") { queue.put_many(jobs) }
      assert_equal 0, queue.counts[:waiting]
    end
  end

  ENDS.each_with_index do |(act, message, operation), index|
    define_method("test_end_#{index}: #{message}") do
      queue.put_many([{ kind: "k" }, { kind: "k" }])
      assert_says(message, operation) { act.call(queue.reserve.fetch(0)) }
      held = new_worker.next(timeout: PATIENCE)
      assert_says(message, operation) { act.call(held) }
    end
  end

  def test_other_errors_name_the_operation_too
    assert_equal "queue_dance", assert_raises(Manyhands::UnknownOperation) { client.call("queue_dance") }.operation
    queue.put("k", jid: "j")
    %w[complete retry release heartbeat].each do |verb|
      error = assert_raises(Manyhands::WrongState) { client.job("j").public_send(verb) }
      assert_equal "job_#{verb}", error.operation
    end
    worker = new_worker
    worker.close
    assert_equal "worker_run", assert_raises(Manyhands::Closed) { worker.run }.operation
  end

  private

  def assert_says(message, operation, &)
    error = assert_raises(Manyhands::InvalidArgument, &)
    assert_equal "INVALID_ARGUMENT: #{message}", error.message[0, "INVALID_ARGUMENT: #{message}".size]
    operation ? assert_equal(operation, error.operation) : assert_nil(error.operation)
  end
end
