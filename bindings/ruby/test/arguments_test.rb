# frozen_string_literal: true

require_relative "case"

# What a refusal says: the argument as Ruby knows it, in Ruby's units, and during which operation.
#
# Runs without the check against sig/, as bad_input_test.rb does.
class ArgumentsTest < Case
  # Seconds: a little more than the hundred years that a span may last.
  LONG = 3_155_760_001
  SPAN = "delay must be 0 to 3155760000 seconds, not"
  TIMEOUT = "timeout must be 0.001 to 3155760000 seconds, not"
  FUNCTION = ->(errors) { errors }
  NO_FUNCTION = "backoff is a function, which cannot go with a job: say seconds"

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
    [->(job) { job.snooze(LONG) }, "#{SPAN} #{LONG}", "job_snooze"],
    [->(job) { job.complete(dependencies: 5) }, "dependencies 5 is not a list of texts", "job_complete"],
    [->(job) { job.complete(dependencies: [""]) }, "dependencies[0] is empty", "job_complete"],
    [->(job) { job.heartbeat(data: Object.new) }, "data holds a Object", "job_save"],
    [->(job) { job.heartbeat(data: "x" * (1 << 20)) }, "data has 1048578 bytes", "job_save"],
    [->(job) { job.progress(2) }, "progress must be a number from 0 to 1", "job_progress"],
    [->(job) { job.progress(Float::NAN) }, "progress holds NaN", "job_progress"],
    [->(job) { job.progress(0.5, 5) }, "note must be text", "job_progress"],
    [->(job) { job.log("") }, "message is empty", "job_log"],
    [->(job) { job.log("x" * 1025) }, "message has 1025 bytes, at most 1024", "job_log"],
    [->(job) { job.log("m", Object.new) }, "data holds a Object", "job_log"],
    [->(job) { job.requeue(delay: -1) }, "#{SPAN} -1", "job_requeue"],
    [->(job) { job.requeue(priority: 500) }, "priority 500 is outside", "job_requeue"],
    [->(job) { job.requeue(queue: "") }, "queue is empty", "job_requeue"],
    [->(job) { job.requeue(delay_ms: 5) }, "delay_ms is unknown", "job_requeue"],
    [->(job) { job.requeue(timeout: 0) }, "#{TIMEOUT} 0", "job_requeue"],
    [->(job) { job.requeue(backoff: FUNCTION) }, NO_FUNCTION, "job_requeue"],
    [->(job) { job.prioritize(1.5) }, "priority must be a whole number", "job_prioritize"],
    [:tag.to_proc, "tags is empty", "job_tag"],
    [->(job) { job.tag("") }, "tags[0] is empty", "job_tag"],
    [->(job) { job.untag(["a"]) }, "tags[0] must be text", "job_untag"],
    [:depend.to_proc, "on is empty", "job_depend"],
    [->(job) { job.depend("a", missing: "x") }, "missing must be satisfied or reject", "job_depend"],
    [:undepend.to_proc, "on and all: give a list, or all", "job_undepend"],
    [->(job) { job.undepend("a", all: true) }, "on and all: give a list, or all", "job_undepend"]
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
    [{ dependencies: "a" }, 'dependencies "a" is not a list of texts'],
    [{ dependencies: ["a", ""] }, "dependencies[1] is empty"],
    [{ throttles: ["t"] * 33 }, "throttles has 33 entries"],
    [{ missing: "perhaps" }, 'missing "perhaps" is not one of satisfied, reject'],
    [{ delay_ms: 5 }, "delay_ms is unknown"],
    [{ timeout: 0 }, "#{TIMEOUT} 0"],
    [{ timeout: "soon" }, "timeout must be a number of seconds, not String"],
    [{ timeout_ms: 5 }, "timeout_ms is unknown"],
    [{ backoff: FUNCTION }, NO_FUNCTION],
    [{ backoff: Manyhands::Backoff.new(&FUNCTION) }, "backoff is a function"],
    [{ backoff: -1 }, "backoff must be 0 to 3155760000 seconds, not -1"],
    [{ backoff: [1, LONG] }, "backoff[1] must be 0 to 3155760000 seconds, not #{LONG}"],
    [{ backoff: [] }, "backoff is empty"],
    [{ backoff: [1] * 65 }, "backoff has 65 entries, at most 64 are allowed"],
    [{ backoff: Manyhands::Backoff.exponential(factor: 1001) }, "backoff grows by the factor 1001, at most 1000"],
    [{ backoff: "soon" }, "backoff must be seconds, an Array of them or a Manyhands::Backoff, not \"soon\""],
    [{ backoff_ms: 5 }, "backoff_ms is unknown"]
  ].freeze

  # Calls without a job, what the refusal says, and the operation.
  CALLS = [
    [->(client) { client.queue("").put("k") }, "queue is empty", "queue_put"],
    [->(client) { client.queue("q").put("") }, "kind is empty", "queue_put"],
    [->(client) { client.queue("q").put(7) }, "kind 7 is not a text", "queue_put"],
    [->(client) { client.queue("q").put_many([{ kind: 7 }]) }, "kind 7 is not a text", "queue_put"],
    [->(client) { client.queue("q").put_many([1]) }, "jobs[0] must be a Hash", "queue_put"],
    [->(client) { client.queue("q").put_many([{ "kind" => "k" }]) }, "kind is named by a String; options", "queue_put"],
    [->(client) { client.queue("q").put("k", 1, "delay" => 1) }, "delay is named by a String; options", "queue_put"],
    [->(client) { client.queue("q").put_many(1) }, "jobs must be an Array", "queue_put"],
    [->(client) { client.queue("").reserve }, "queue is empty", "queue_reserve"],
    [->(client) { client.queue(7).reserve }, "queue must be a String", "queue_reserve"],
    [->(client) { client.queue("q").reserve(0) }, "limit 0 is outside 1..250", "queue_reserve"],
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
    [->(client) { worker(client, threads: nil) }, "threads must be a whole number, not nil", nil],
    [->(client) { worker(client, threads: 2.0) }, "threads must be a whole number, not 2.0", nil],
    [->(client) { worker(client, strategy: "best") }, "strategy best is unknown", nil],
    [->(client) { worker(client, shutdown_timeout: LONG) }, "shutdown_timeout must be 0 to", nil],
    [->(client) { worker(client, shutdown_timeout: false) }, "shutdown_timeout must be a number of seconds", nil],
    [->(client) { worker(client, logger: nil) }, "logger must have the methods of a Logger, not be nil", nil],
    [->(client) { worker(client, statsd: "localhost") }, "statsd must be a Hash, not String", nil],
    [->(client) { worker(client, weights: 5) }, "weights must be a Hash, not Integer", nil],
    [->(client) { worker(client, strategy: "callback") }, "strategy callback needs a function", nil],
    [->(client) { worker(client, interval: 0.009) }, "interval must be 0.01 to 86400 seconds, not 0.009", nil],
    [->(client) { worker(client, interval: 86_401) }, "interval must be 0.01 to 86400 seconds, not 86401", nil],
    [->(client) { worker(client, interval: "2") }, "interval must be a number of seconds, not String", nil],
    [->(client) { worker(client).perform("") { nil } }, "kind is empty", nil]
  ].freeze

  # Seconds between two jobs of a recurring one.
  EVERY = "interval must be 0.001 to 3155760000 seconds, not"

  # Calls of the operations that are about more than a job.
  WIDE = [
    [->(client) { client.jobs(5) }, "jids must be a list of texts", "job_get_many"],
    [->(client) { client.cancel("a") }, "jids must be a list of texts", "job_cancel"],
    [->(client) { client.track([]) }, "jids is empty", "job_track"],
    [->(client) { client.untrack([""]) }, "jids[0] is empty", "job_untrack"],
    [->(client) { client.tracked(limit: 0) }, "limit 0 is outside 1..250", "job_tracked"],
    [->(client) { client.completed(offset: -1) }, "offset -1 is outside", "job_list"],
    [->(client) { client.explain("") }, "jid is empty", "job_explain"],
    [->(client) { client.failures(limit: 251) }, "limit 251 is outside 1..250", "failure_groups"],
    [->(client) { client.failed("") }, "group is empty", "failure_jobs"],
    [->(client) { client.unfail("g", limit: 101) }, "limit 101 is outside 1..100", "failure_unfail"],
    [->(client) { client.tags(offset: 1.5) }, "offset must be a whole number", "tag_list"],
    [->(client) { client.tagged("") }, "tag is empty", "tag_jobs"],
    [->(client) { client.queues(limit: "all") }, "limit must be a whole number", "queue_list"],
    [->(client) { client.workers(limit: 101) }, "limit 101 is outside 1..100", "worker_list"],
    [->(client) { client.worker_jobs("") }, "worker is empty", "worker_jobs"],
    [->(client) { client.deregister([]) }, "workers is empty", "worker_deregister"],
    [->(client) { client.sweep(limit: 0) }, "limit 0 is outside 1..100", "sweep"],
    [->(client) { client.check(repair: 1) }, "repair must be true or false", "check"],
    [->(client) { client.check(limit: 251) }, "limit 251 is outside 1..250", "check"],
    [->(client) { client.patterns.set }, "identifiers and priorities: give one", "pattern_set"],
    [->(client) { client.patterns.set(identifiers: 5) }, "identifiers must be a map of lists", "pattern_set"],
    [->(client) { client.config.unset("colour") }, "name colour is not a setting", "config_unset"],
    [->(client) { client.queue("").pause }, "queue is empty", "queue_pause"],
    [->(client) { client.queue("").unpause }, "queue is empty", "queue_unpause"],
    [->(client) { client.queue(5).forget }, "queue must be text", "queue_forget"],
    [->(client) { client.queue("").length }, "queue is empty", "queue_length"],
    [->(client) { client.queue("q").peek(limit: 251) }, "limit 251 is outside 1..250", "queue_peek"],
    [->(client) { client.queue("q").jobs("asleep") }, "state must be waiting,", "job_list"],
    [->(client) { client.throttle("").counts }, "id is empty", "throttle_get"],
    [->(client) { client.throttle("t").set(-1) }, "limit -1 is outside", "throttle_set"],
    [->(client) { client.throttle("queue:a").limit = 1 }, "id begins with queue:", "throttle_set"],
    [->(client) { client.throttle("t").set(1, expires: 0) }, "expires must be 0.001 to", "throttle_set"],
    [->(client) { client.throttles(limit: 0) }, "limit 0 is outside 1..250", "throttle_list"],
    [->(client) { client.recurring("") }, "jid is empty", "recurring_get"],
    [->(client) { client.queue("q").recurring(limit: 0) }, "limit 0 is outside 1..250", "recurring_list"],
    [->(client) { client.queue("q").put_recurring("k") }, "interval is missing", "recurring_put"],
    [->(client) { repeat(client, interval: 0) }, "#{EVERY} 0", "recurring_put"],
    [->(client) { repeat(client, offset: -1) }, "offset must be 0 to", "recurring_put"],
    [->(client) { repeat(client, backlog: -1) }, "backlog -1 is outside", "recurring_put"],
    [->(client) { repeat(client, jid: "x" * 236) }, "jid has 236 bytes", "recurring_put"],
    [->(client) { repeat(client, interval_ms: 5) }, "interval_ms is unknown", "recurring_put"],
    [->(client) { repeat(client, data: Object.new) }, "data is unknown", "recurring_put"],
    [->(client) { repeat(client).update(interval: 0) }, "#{EVERY} 0", "recurring_update"],
    [->(client) { repeat(client).update(offset: 1) }, "offset is unknown", "recurring_update"],
    [->(client) { repeat(client).update(data: Object.new) }, "data holds a Object", "recurring_update"],
    [->(client) { repeat(client, timeout: LONG) }, "#{TIMEOUT} #{LONG}", "recurring_put"],
    [->(client) { repeat(client, backoff: FUNCTION) }, NO_FUNCTION, "recurring_put"],
    [->(client) { repeat(client).update(timeout: 0) }, "#{TIMEOUT} 0", "recurring_update"],
    [->(client) { repeat(client).update(backoff: [[1]]) }, "backoff[0] must be a number", "recurring_update"],
    [->(_) { Manyhands::Job.build("k", timeout: 0) }, "#{TIMEOUT} 0", nil],
    [->(_) { Manyhands::Job.build("k", backoff: FUNCTION) }, NO_FUNCTION, nil],
    [->(client) { repeat(client).tag }, "tags is empty", "recurring_tag"],
    [->(client) { client.events("complete") }, 'what[0] "complete" is no event: put,', "events_open"],
    [->(client) { client.events(worker: "") }, "worker is empty", "events_open"],
    [->(client) { client.events.next(timeout: -1) }, "timeout must be 0 to", "events_next"]
  ].freeze

  def self.repeat(client, **options) = client.queue("q").put_recurring("k", nil, **{ interval: 60, **options })

  def self.worker(client, queues: ["q"], **options) = Manyhands::Worker.new(client, queues:, **options)

  [*CALLS, *WIDE].each_with_index do |(act, message, operation), index|
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
