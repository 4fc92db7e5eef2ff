# frozen_string_literal: true

require_relative "case"
require "manyhands/testing"

# How long a run may take and how long a job waits after an error, as its put says: before its kind and worker (Q26).
class OwnLimitsTest < Case
  B = Manyhands::Backoff
  HOUR = 3600
  # What a put may say, and what the job then says of it.
  BACKOFFS = {
    1.5 => B.fixed(1.5), [1, 60] => B.list([1, 60]), [7] => B.fixed(7), Rational(1, 4) => B.fixed(0.25),
    B.fixed(0) => B.fixed(0), B.list([1, 2], jitter: 0.5) => B.list([1, 2], jitter: 0.5),
    B.fixed(3, jitter: Rational(1, 2)) => B.fixed(3, jitter: 0.5), B.exponential => B.exponential,
    B.exponential(2, factor: Rational(3, 2), most: 60, jitter: 1) => B.exponential(2, factor: 1.5, most: 60, jitter: 1)
  }.freeze

  def limits(job) = [job.run_timeout, job.backoff]
  def limits_of(jobs) = jobs.map { |job| limits(job) }

  # Performs what there is, and looks the jobs up.
  def performed(worker, *jids)
    running(worker) { eventually { queue.counts.values_at(:waiting, :running).sum.zero? } }
    jids.map { |jid| client.job(jid) }
  end

  def wait_of(job) = job.due_at - job.failure[:at]

  # A handler that only an interrupt ends.
  def hanging(worker, kind, heard = [], **limits)
    worker.perform(kind, **limits) do
      Thread::Queue.new.pop
    rescue Manyhands::JobInterrupted => e
      heard << e.reason
      raise
    end
  end

  def test_a_job_s_own_timeout_comes_before_those_of_its_kind_and_of_the_worker
    queue.put("k", jid: "j", timeout: 0.001, retries: 0)
    heard = []
    worker = hanging(new_worker(timeout: HOUR), "k", heard, timeout: HOUR)
    job, = performed(worker, "j")
    assert_equal ["timeout"], heard
    assert_equal %w[failed k:JobInterrupted], [job.state, job.failure[:group]]
  end

  def test_a_job_s_own_backoff_comes_before_that_of_its_kind
    queue.put("k", jid: "own", backoff: 900)
    queue.put("k", jid: "kind")
    queue.put("none", jid: "none", backoff: 800)
    queue.put("late", jid: "late", timeout: 0.001, backoff: [700, 5])
    queue.put("killed", jid: "killed", backoff: 500)
    worker = hanging(new_worker, "late", backoff: 100).perform("k", backoff: 100) { raise KeyError, "no" }
    worker.perform("none") { raise KeyError, "no" }.perform("killed", backoff: 100) { Thread.current.kill }
    jobs = performed(worker, "own", "kind", "none", "late", "killed")
    assert_equal([900, 100, 800, 700, 500], jobs.map { |job| wait_of(job).round })
    assert_equal(%w[k:KeyError k:KeyError none:KeyError late:JobInterrupted killed:ThreadKilled],
                 jobs.map { |job| job.failure[:group] })
    assert_equal([4] * 5, jobs.map(&:remaining))
  end

  def test_the_wait_follows_the_number_of_errors
    queue.put("k", jid: "list", backoff: [100, 200])
    queue.put("k", jid: "growing", backoff: B.exponential(40, factor: 3, jitter: 0))
    queue.reserve(2).each(&:retry)
    jobs = performed(new_worker.perform("k") { raise KeyError, "no" }, "list", "growing")
    assert_equal([200, 120], jobs.map { |job| wait_of(job).round })
  end

  def test_a_retry_rule_by_class_comes_before_a_job_s_own_backoff
    %w[key index discard].each { |jid| queue.put(jid, jid:, backoff: 900) }
    broken = ->(_) { raise "broken backoff" }
    retry_on = { KeyError => 500, IndexError => broken }
    worker = new_worker.use(Manyhands::RetryRules.new(retry_on:, discard_on: [ZeroDivisionError]))
    worker.perform("key", backoff: 100) { raise KeyError, "no" }
    worker.perform("index", backoff: 100) { raise IndexError, "no" }.perform("discard") { 1 / 0 }
    key, index, discard = performed(worker, "key", "index", "discard")
    assert_equal [500, 900], [wait_of(key).round, wait_of(index).round], "a rule that raises is none"
    assert_equal "failed", discard.state
  end

  def test_what_a_put_says_is_seen_by_handlers_and_in_views
    jids = BACKOFFS.map { |backoff, _| queue.put("k", backoff:, timeout: 2.5).jid }
    queue.put("k", jid: "timeout", timeout: 60)
    queue.put("k", jid: "plain", timeout: nil, backoff: nil)
    wanted = [*BACKOFFS.values.map { |backoff| [2.5, backoff] }, [60.0, nil], [nil, nil]]
    assert_equal wanted, limits_of(client.jobs([*jids, "timeout", "plain"]))
    assert_equal wanted, limits_of(queue.peek)
    heard = []
    performed(new_worker.perform("k") { |job| (heard << limits(job)) && nil })
    assert_equal wanted, heard
  end

  def test_several_puts_say_each_their_own
    jobs = [{ kind: "k", timeout: 1, backoff: 2 }, { kind: "k" }, { kind: "k", backoff: [3], delay: 4 }]
    placed = queue.put_many(jobs)
    assert_equal [[1.0, B.fixed(2)], [nil, nil], [nil, B.fixed(3)]],
                 limits_of(client.jobs(placed.map(&:jid)))
    assert_equal [[1.0, B.fixed(2)], [nil, nil]], limits_of(queue.reserve(2))
  end

  # As a raw call from any language may have stored it.
  def test_what_is_left_out_is_as_everywhere
    queue.put("k", jid: "j")
    { { first: 5000 } => B.exponential(5), { first: 5000, factor: 3 } => B.exponential(5, factor: 3),
      { first: 5000, most: 9000 } => B.exponential(5, most: 9), { list: [5000] } => B.fixed(5),
      { list: [5000, 6000], jitter: 0.5 } => B.list([5, 6], jitter: 0.5) }.each do |backoff_ms, backoff|
      client.call("job_requeue", { jid: "j", backoff_ms: })
      assert_equal backoff, client.job("j").backoff
    end
  end

  def test_they_go_along_the_route_and_a_requeue_keeps_or_replaces_them
    queue.put("k", jid: "j", route: ["next"], timeout: 30, backoff: [1, 2])
    queue.reserve.fetch(0).complete
    job = client.queue("next").reserve.fetch(0)
    assert_equal [30.0, B.list([1, 2])], limits(job)
    job.requeue
    assert_equal [30.0, B.list([1, 2])], limits(client.job("j"))
    job.requeue(timeout: 5, backoff: nil)
    assert_equal [5.0, B.list([1, 2])], limits(client.job("j"))
    job.requeue(backoff: B.exponential(1))
    assert_equal [5.0, B.exponential(1)], limits(client.job("j"))
  end

  def test_recurring_jobs_give_theirs_to_the_jobs_they_put
    one = queue.put_recurring("k", interval: HOUR, jid: "r", timeout: 2, backoff: 0.5)
    assert_equal [2.0, B.fixed(0.5)], [one.timeout, one.backoff]
    assert_equal [2.0, B.fixed(0.5)], limits(queue.reserve.fetch(0))
    one.update(timeout: 3, backoff: B.list([1, 2], jitter: 0.1))
    assert_equal [3.0, B.list([1, 2], jitter: 0.1)], [one.timeout, one.backoff]
    one.update(priority: 1)
    listed = queue.recurring.first
    assert_equal [3.0, B.list([1, 2], jitter: 0.1)], [listed.timeout, listed.backoff]
    plain = queue.put_recurring("k", interval: HOUR, jid: "plain")
    assert_equal [nil, nil], [plain.timeout, plain.backoff]
  end

  class Limited
    extend Manyhands::Performs
    performs "limited", queue: "q", timeout: HOUR, backoff: ->(errors) { errors }

    def self.perform(_job) = raise(KeyError, "no")
  end

  def test_a_kind_s_stay_with_the_worker_and_a_put_of_the_kind_may_say_its_own
    Limited.put(client, jid: "kind")
    Limited.put(client, jid: "own", timeout: 5, backoff: [6, 7])
    one = Limited.put_recurring(client, jid: "r", interval: HOUR, offset: HOUR, timeout: 8, backoff: 9)
    plain = Limited.put_recurring(client, jid: "plain", interval: HOUR, offset: HOUR)
    assert_equal [[nil, nil], [5.0, B.list([6, 7])]], limits_of(client.jobs(%w[kind own]))
    assert_equal [8.0, B.fixed(9), nil, nil], [one.timeout, one.backoff, plain.timeout, plain.backoff]
    kind, own = performed(new_worker.perform(Limited), "kind", "own")
    assert_equal [1, 6], [wait_of(kind).round, wait_of(own).round]
  end

  def test_a_job_is_built_with_them
    job = Manyhands::Job.build("k", timeout: 1.5, backoff: [1, 2])
    assert_equal [1.5, B.list([1, 2])], limits(job)
    assert_equal [nil, nil], limits(Manyhands::Job.build("k"))
  end

  def test_a_drained_job_waits_as_it_says
    queue.put("k", jid: "own", backoff: 900)
    queue.put("none", jid: "none", backoff: [800])
    worker = new_worker.perform("k", backoff: 100) { raise KeyError, "no" }.perform("none") { raise KeyError, "no" }
    assert_equal 2, Manyhands::Testing.drain(worker, raises: false)
    assert_equal([900, 800], client.jobs(%w[own none]).map { |job| wait_of(job).round })
  end

  def test_recorded_spans_are_equal_by_their_milliseconds
    third = 1 / 3r
    recorded = Manyhands::Testing.recorded_puts(client) { queue.put("k", timeout: third, delay: third) }
    [third, 1 / 3.0, 0.333].each { |span| recorded.assert_put("k", timeout: span, delay: span) }
    [0.334, nil].each do |other|
      recorded.refute_put("k", timeout: other)
      recorded.refute_put("k", delay: other)
    end
    assert_refused(Manyhands::InvalidArgument, "timeout must be 0.001 to") { recorded.refute_put("k", timeout: 0) }
    assert_refused(Manyhands::InvalidArgument, "delay must be 0 to") { recorded.refute_put("k", delay: -1) }
  end

  def test_recorded_puts_have_them
    recorded = Manyhands::Testing.recorded_puts(client) { queue.put("k", timeout: 5, backoff: B.list([1, 2])) }
    recorded.assert_put("k", timeout: 5, backoff: [1, 2])
    recorded.assert_put("k", backoff: B.list([1.0, 2]))
    recorded.refute_put("k", backoff: [1, 3])
    recorded.refute_put("k", backoff: nil)
    recorded.refute_put("k", timeout: nil)
    Manyhands::Testing.recorded_puts(client) { |plain| queue.put("k") && plain.assert_put("k", backoff: nil) }
  end
end
