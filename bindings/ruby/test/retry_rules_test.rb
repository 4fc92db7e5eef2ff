# frozen_string_literal: true

require_relative "case"

# When jobs run again, by the class of the error.
class RetryRulesTest < Case
  B = Manyhands::Backoff

  def test_backoff
    assert_equal [5, 5], delays(B.of(5), 1, 9)
    assert_equal [1, 10, 60, 60], delays(B.of([1, 10, 60]), 1, 2, 3, 300)
    assert_equal [3, 6, 12, 20, 20], delays(B.exponential(3, most: 20, jitter: 0), 1, 2, 3, 4, 5000)
    assert_equal [2, 6, 18], delays(B.exponential(2, factor: 3, jitter: 0), 1, 2, 3)
    assert_equal [7], delays(B.of(->(errors) { errors + 6 }), 1)
    seen = Array.new(200) { B.fixed(100, jitter: 0.5).delay(1) }
    assert_operator seen.min, :>=, 50
    assert_operator seen.max, :<=, 150
    assert_operator seen.max - seen.min, :>, 10
  end

  def test_a_backoff_grows_with_all_errors_there_can_be
    slow = B.exponential(10, factor: 1.02, jitter: 0)
    assert_equal [36, 1560, 3600], delays(slow, 65, 256, 400).map(&:round)
    assert_equal [0, 0, 0], delays(B.exponential(0, factor: 1000), 1, 256, 2**40)
    [2, 1000, 1.5, 3 / 2r, 10**300, Float::INFINITY].each do |factor|
      assert_equal [1, 60, 60], delays(B.exponential(1, factor:, most: 60, jitter: 0), 1, 256, 2**40)
    end
    assert_equal [1, 1], delays(B.exponential(1, factor: 1, jitter: 0), 1, 2**40)
  end

  def test_a_backoff_is_found_by_what_it_is_made_of
    same = [[B.fixed(1), B.of([1.0]), B.fixed(1r)], [B.list([1, 2.5]), B.list([1.0, 5 / 2r])],
            [B.exponential(2), B.exponential(2.0, factor: 2r)], [B.fixed(1, jitter: 1), B.fixed(1, jitter: 1.0)]]
    functions = Array.new(2) { B.of(->(errors) { errors }) }
    assert_equal [*same.map(&:first), *functions], [*same.flatten, *functions, *functions].uniq
    assert_equal "found", { B.of([1, 60]) => "found" }[B.list([1.0, 60])]
  end

  def test_what_a_backoff_is_made_of
    listed = B.list([1, 60])
    assert_equal({ list: [1, 60], jitter: 0 }, listed.to_h)
    assert_equal({ first: 2, factor: 2, most: 3600, jitter: 0.1 }, B.exponential(2).to_h)
    function = B.of(->(errors) { errors })
    assert_equal({ jitter: 0 }, function.to_h)
    assert_equal "#<Manyhands::Backoff of a function>", function.inspect
    assert_equal "#<Manyhands::Backoff #{listed.to_h}>", listed.inspect
    assert_equal listed, B.of([1.0, 60.0])
    assert_equal function, function
    [B.of([1]), B.list([1, 60], jitter: 0.1), B.exponential, function, B.of(->(errors) { errors }), nil].each do |other|
      refute_equal listed, other
      refute_equal B.of(->(errors) { errors }), other
    end
  end

  def delays(backoff, *errors) = errors.map { |n| backoff.delay(n) }

  # What became of a job of which each kind raises its own error, once.
  def fates(worker, errors)
    errors.each { |kind, error| worker.perform(kind) { |job| raise error, "no #{job.jid}" } }
    running(worker) { eventually { queue.counts.values_at(:waiting, :running).sum.zero? } }
    errors.to_h { |kind, _| [kind, client.job(kind)] }
  end

  def test_an_error_s_class_says_when_its_job_runs_again
    %w[key index discard other].each { |kind| queue.put(kind, jid: kind) }
    queue.put("last", jid: "last", retries: 0)
    rules = Manyhands::RetryRules.new(
      retry_on: { KeyError => [500, 9], StandardError => ->(errors) { errors * 1000 } }, discard_on: [ZeroDivisionError]
    )
    seen = Thread::Queue.new
    worker = new_worker.use(outside(seen)).use(rules)
    worker.on(:failure) { |_, error| seen << error.class }
    found = fates(worker, "key" => KeyError, "index" => IndexError, "discard" => ZeroDivisionError,
                          "other" => NotImplementedError, "last" => KeyError)
    assert_equal(%w[scheduled scheduled failed scheduled failed], found.values.map(&:state))
    assert_equal ["key:KeyError", "no key", 4], [*found["key"].failure.values_at(:group, :message),
                                                 found["key"].remaining]
    assert_includes found["key"].failure[:trace], __FILE__
    assert_in_delta 500, found["key"].due_at - found["key"].failure[:at], 1
    assert_in_delta 1000, found["index"].due_at - found["index"].failure[:at], 1
    assert_in_delta 1, found["other"].due_at - found["other"].failure[:at], 1, "no rule: as without rules"
    assert_equal ["discard:ZeroDivisionError", "no discard"], found["discard"].failure.values_at(:group, :message)
    assert_equal "last:KeyError", found["last"].failure[:group]
    told = Array.new(seen.size) { seen.pop }
    assert(told.each_slice(2).all? { |around, hook| around == hook })
    assert_equal 10, told.size
    assert_includes log.string, "KeyError: no key"
  end

  # Middleware outside the rules hears of the errors themselves.
  def outside(seen)
    Module.new do
      define_method(:around_perform) do |job|
        super(job)
      rescue StandardError, ScriptError => e
        seen << e.class
        raise
      end
    end
  end

  def test_a_rule_holds_for_its_own_error
    queue.put("k", jid: "k")
    worker = new_worker.use(Module.new do
      def around_perform(job)
        super
      rescue KeyError
        raise "another"
      end
    end)
    worker.use(Manyhands::RetryRules.new(discard_on: KeyError))
    found = fates(worker, "k" => KeyError)["k"]
    assert_equal ["scheduled", "k:RuntimeError"], [found.state, found.failure[:group]]
  end

  def test_a_backoff_that_raises_is_logged_and_counts_as_none
    %w[rule sign own].each { |kind| queue.put(kind, jid: kind) }
    broken = ->(_) { raise "broken backoff" }
    rules = Manyhands::RetryRules.new(retry_on: { KeyError => broken, IndexError => ->(_) { -1 } })
    worker = new_worker.use(rules)
    worker.perform("own", backoff: broken) { raise "no own" }
    found = fates(worker, "rule" => KeyError, "sign" => IndexError)
    found["own"] = client.job("own")
    assert_equal(%w[rule:KeyError sign:IndexError own:RuntimeError], found.values.map { |job| job.failure[:group] })
    found.each_value { |job| assert_in_delta 1, job.due_at - job.failure[:at], 1 }
    assert_equal [4, 4, 4], found.values.map(&:remaining)
    assert_includes log.string, "backoff of job rule (rule) raised RuntimeError: broken backoff; it waits as without"
  end

  class Slow
    extend Manyhands::Performs
    performs "slow", queue: "q", backoff: 700

    def self.perform(_job) = raise(KeyError, "no")
  end

  def test_a_handler_has_a_backoff_of_its_own
    Slow.put(client, 1, jid: "slow")
    queue.put("quick", jid: "quick")
    queue.put("fail", jid: "fail")
    worker = new_worker.perform(Slow).perform("quick", backoff: [300]) { raise KeyError, "no" }
    worker.perform("fail", backoff: 1) { raise Manyhands::Fail, "given-up" }
    running(worker) { eventually { queue.counts.values_at(:waiting, :running).sum.zero? } }
    waits = %w[slow quick].map { |jid| client.job(jid) }.map { |job| job.due_at - job.failure[:at] }
    assert_in_delta 700, waits.first, 1
    assert_in_delta 300, waits.last, 1
    assert_equal "given-up", client.job("fail").failure[:group]
  end

  # Raises where no handler does.
  BREAKS = Module.new { def around_perform(job) = job.kind == "around" ? raise("no") : super }

  def test_the_backoff_of_a_kind_holds_for_every_failed_run
    kinds = %w[around late text value]
    kinds.each { |kind| queue.put(kind, jid: kind) }
    worker = new_worker.use(BREAKS).perform("around", backoff: 200) { nil }
    worker.perform("late", timeout: 0.001, backoff: 300) { sleep }
    worker.perform("text", backoff: 400) { "\xff" }
    worker.perform("value", backoff: 500) { raise Manyhands::Fail, "x" * 256 }
    running(worker) { eventually { queue.counts.values_at(:waiting, :running).sum.zero? } }
    jobs = kinds.map { |jid| client.job(jid) }
    waits = jobs.map { |job| (job.due_at - job.failure[:at]).round(-2) }
    assert_equal [200, 300, 400, 500], waits
    assert_equal(%w[around:RuntimeError late:JobInterrupted text:INVALID_ARGUMENT value:INVALID_ARGUMENT],
                 jobs.map { |job| job.failure[:group] })
    assert_equal "the handler ran longer than its timeout", jobs[1].failure[:message]
  end

  class Declined < StandardError
  end

  def test_a_group_has_the_error_s_class_without_its_modules
    long = "k" * 250
    ["bare", long].each { |kind| queue.put(kind, jid: kind, retries: 0) }
    queue.put("ruled", jid: "ruled")
    worker = new_worker.use(Manyhands::RetryRules.new(discard_on: Declined))
    fates(worker, "bare" => IO::EAGAINWaitReadable, "ruled" => Declined, long => IO::EAGAINWaitReadable)
    failures = ["bare", "ruled", long].map { |jid| client.job(jid).failure }
    assert_equal(["bare:EAGAINWaitReadable", "ruled:Declined", "#{long}:EAGA"], failures.map { |one| one[:group] })
    assert_equal "IO::EAGAINWaitReadable", failures[0][:trace].lines(chomp: true).first
  end
end
