# frozen_string_literal: true

require_relative "case"

# What becomes of a job when its handler has ended, and who hears of it.
class OutcomesTest < Case
  # How a handler ends its job, the state that follows, and the end of its failure group.
  REFUSED_ENDS = {
    "a result too long" => [->(_, job) { job.complete("x" * (1 << 20)) }, "scheduled", "INVALID_ARGUMENT"],
    "a circle" => [->(_, job) { job.complete(queue: "next", dependencies: ["waits"]) }, "scheduled", "CYCLE"],
    "a lost lease" => [->(client, job) { client.job(job.jid).requeue(queue: "r") && job.complete }, "waiting", nil]
  }.freeze

  REFUSED_ENDS.each do |what, (act, state, code)|
    define_method("test_a_worker_outlives_a_handler_whose_end_was_refused: #{what}") do
      queue.put("k", jid: "refused")
      queue.put("k", jid: "good")
      queue.put("other", jid: "waits", dependencies: ["refused"])
      worker = new_worker.perform("k") { |job| job.jid == "good" ? "good" : act.call(client, job) }
      running(worker) { eventually { client.job("good").state == "completed" } }
      seen = client.job("refused")
      assert_equal [state, code && "k:#{code}"], [seen.state, seen.failure&.fetch(:group)]
    end
  end

  def test_an_exception_is_retried_and_then_fails_in_its_group
    queue.put("break", jid: "j", retries: 0)
    queue.put("break", jid: "again", retries: 1)
    worker = new_worker.perform("break") { |job| raise KeyError, "no \xFFkey in #{job.jid}" }
    running(worker) { eventually { client.job("j").state == "failed" && client.job("again").state == "scheduled" } }

    failure = client.job("j").failure
    assert_equal ["break:KeyError", "no \u{FFFD}key in j"], failure.values_at(:group, :message)
    assert_includes failure[:trace], __FILE__
    assert_includes log.string, "KeyError"
    again = client.job("again")
    assert_equal 0, again.remaining
    assert_operator again.due_at, :>, Time.now - PATIENCE
  end

  class Speechless < StandardError
    def message = raise("no words")
    def backtrace = raise("no trace")
    def self.name = raise("no name")
  end

  def test_an_exception_that_cannot_say_what_it_is_is_retried_and_ends_no_thread
    queue.put("break", jid: "j", retries: 0)
    queue.put("k", jid: "next")
    worker = new_worker.perform("break") { raise Speechless }.perform("k") { nil }
    running(worker) { eventually { client.job("next").state == "completed" } }
    failure = client.job("j").failure
    trace = "OutcomesTest::Speechless\n<its backtrace raised>"
    assert_equal ["break:Speechless", "<its message raised>", trace],
                 failure.values_at(:group, :message, :trace)
    assert_includes log.string, "<its message raised>"
  end

  # As some libraries raise, against good advice.
  class Grave < Exception # rubocop:disable Lint/InheritException
  end

  def test_an_exception_that_is_no_standard_error_ends_its_job_alone
    queue.put("grave", jid: "grave", retries: 0)
    queue.put("k", jid: "next")
    worker = new_worker.perform("grave") { raise Grave, "no" }.perform("k") { "done" }
    worker.on(:before_perform) { raise Grave, "hook" }
    failures = []
    worker.on(:failure) { |job, error| failures << [job.jid, error.class] }
    running(worker) { eventually { client.job("next").state == "completed" } }
    assert_equal "grave:Grave", client.job("grave").failure[:group]
    assert_equal [["grave", Grave]], failures
    assert_includes log.string, "on_before_perform raised for job next OutcomesTest::Grave: hook"
  end

  def test_what_on_lock_lost_raises_is_logged_whatever_it_says
    queue.put("k", 1, jid: "j")
    worker = new_worker.on_lock_lost { raise Speechless }
    worker.perform("k") { |job| queue.put("k", 2, jid: "j", on_conflict: "move").outcome if job.data == 1 }
    running(worker) { eventually { log.string.include?("on_lock_lost raised") } }
    assert_includes log.string, "<its message raised>"
  end

  def test_a_handler_says_how_its_job_goes_on
    %w[fail retry snooze].each { |kind| queue.put(kind, jid: kind) }
    worker = new_worker
    worker.perform("fail") { raise Manyhands::Fail.new("bad-input", "no header", "here") }
    worker.perform("retry") { raise Manyhands::Retry, 60 }
    worker.perform("snooze") { raise Manyhands::Snooze, 60.5 }
    running(worker) { eventually { queue.counts.values_at(:waiting, :running).sum.zero? } }

    assert_equal ["bad-input", "no header", "here"], client.job("fail").failure.values_at(:group, :message, :trace)
    assert_equal ["scheduled", 4], [client.job("retry").state, client.job("retry").remaining]
    assert_equal ["scheduled", 5], [client.job("snooze").state, client.job("snooze").remaining]
    assert_empty log.string
  end

  def test_a_handler_ends_its_job_itself
    queue.put("k", jid: "j", route: ["next"])
    worker = new_worker.perform("k") { |job| job.complete("own", queue: "other", data: [1]) && Object.new }
    running(worker) { eventually { client.job("j").queue == "other" } }
    assert_equal [[1], "own"], [client.job("j").data, client.job("j").result]
    assert_empty log.string
  end

  def test_new_data_travels_with_the_completion
    queue.put("k", { "n" => 1 }, jid: "j", route: ["next"])
    worker = new_worker.perform("k") { |job| (job.data = { n: job.data["n"] + 1 }) && nil }
    running(worker) { eventually { client.job("j").queue == "next" } }
    assert_equal '{"n":2}', client.job("j").raw_data
  end

  def test_a_result_that_json_cannot_say_is_the_handler_s_error
    queue.put("k", jid: "j", retries: 0)
    running(new_worker.perform("k") { Object.new }) { eventually { client.job("j").state == "failed" } }
    assert_equal "k:INVALID_ARGUMENT", client.job("j").failure[:group]
    assert_includes client.job("j").failure[:message], "result holds a Object"
  end

  # Says by itself what it is in JSON, but cannot.
  class Untellable
    def to_json(*) = raise(KeyError, "cannot say")
  end

  def test_what_a_result_s_own_words_raise_is_the_handler_s_error
    worker = new_worker
    { "returns" => ->(_) { Untellable.new }, "inside" => ->(_) { { a: [Untellable.new] } },
      "data" => ->(job) { job.complete(1, queue: "next", data: Untellable.new) } }.each do |kind, act|
      queue.put(kind, jid: kind, retries: 0)
      worker.perform(kind) { |job| act.call(job) }
    end
    queue.put("k", jid: "next")
    heard = []
    worker.perform("k") { "done" }.on(:failure) { |job, error| heard << [job.jid, error.class] }
    running(worker) { eventually { unfinished.zero? } }
    groups = %w[returns inside data].map { |jid| client.job(jid).failure[:group] }
    assert_equal %w[returns:KeyError inside:KeyError data:KeyError], groups
    assert_equal "done", client.job("next").result
    assert_equal [["returns", KeyError], ["inside", KeyError], ["data", KeyError]], heard
  end

  def test_an_outcome_that_cannot_be_kept_is_the_handler_s_error
    queue.put("k", jid: "j", retries: 0)
    worker = new_worker.perform("k") { raise Manyhands::Fail, "x" * 300 }
    running(worker) { eventually { client.job("j").state == "failed" } }
    assert_equal "k:INVALID_ARGUMENT", client.job("j").failure[:group]
  end

  OwnError = Class.new(Manyhands::Error)

  def test_an_error_of_ours_is_grouped_by_its_code_and_another_by_its_class
    raised = {
      "LOCK_LOST" => Manyhands::LockLost, "UNAVAILABLE" => Manyhands::Unavailable,
      "OwnError" => OwnError, "KeyError" => KeyError
    }
    worker = new_worker
    raised.each do |group, error|
      queue.put(group, jid: group, retries: 0)
      worker.perform(group) { raise error, "no" }
    end
    queue.put("call", jid: "INVALID_ARGUMENT", retries: 0)
    worker.perform("call") { |job| job.complete(queue: "") }
    running(worker) { eventually { unfinished.zero? } }
    raised.each_key { |group| assert_equal "#{group}:#{group}", client.job(group).failure[:group] }
    assert_equal "call:INVALID_ARGUMENT", client.job("INVALID_ARGUMENT").failure[:group]
  end

  def test_a_delay_before_no_queue_refuses_nothing
    queue.put("k", jid: "j", retries: 0)
    running(new_worker.perform("k") { |job| job.complete("done", delay: 60) }) { eventually { unfinished.zero? } }
    assert_equal %w[completed done], [client.job("j").state, client.job("j").result]
  end

  def test_a_kind_without_a_handler_fails_in_a_group_of_its_own
    queue.put("nobody", jid: "j")
    running(new_worker.perform("k") { nil }) { eventually { client.job("j").state == "failed" } }
    assert_equal "unknown-kind:nobody", client.job("j").failure[:group]
  end

  def test_a_refused_outcome_is_told_and_the_next_job_hears_nothing_of_it
    queue.put("k", 1, jid: "j")
    lost = Thread::Queue.new
    worker = new_worker.on_lock_lost { |job, reason| lost << [job.jid, job.data, reason] }
    worker.perform("k") { |job| queue.put("k", 2, jid: "j", on_conflict: "move").outcome if job.data == 1 }
    running(worker) do
      assert_equal ["j", 1, "replaced"], take(lost)
      eventually { client.job("j").state == "completed" }
    end
    assert_equal 2, client.job("j").data
    assert_includes log.string, "job j: job_complete was refused: replaced"
  end

  def test_refusals_are_told_even_when_the_end_fails
    queue.put("k", 1, jid: "j")
    lost = Thread::Queue.new
    worker = new_worker.on_lock_lost { |job, reason| lost << [job.jid, reason] }
    worker.perform("k") do
      worker.stop
      queue.put("k", 2, jid: "j", on_conflict: "move").outcome
    end
    late_and_failing(worker)
    assert_raises(Manyhands::Unavailable) { worker.run }
    assert_equal %w[j replaced], take(lost)
  end

  # Lets the worker hear of answers only after its stop, which ends well but raises.
  def late_and_failing(worker)
    native = worker.instance_variable_get(:@native)
    stopped = false
    native.define_singleton_method(:unanswered) { stopped ? super() : 1 }
    native.define_singleton_method(:take_refused) { stopped ? super() : [] }
    native.define_singleton_method(:stop) do |timeout_ms|
      super(timeout_ms)
      raise Manyhands::Unavailable, "not all was told" unless stopped.tap { stopped = true }
    end
  end

  def test_a_handler_can_see_that_its_lease_is_lost
    queue.put("k", 1, jid: "j")
    seen = Thread::Queue.new
    worker = new_worker.perform("k") do |job|
      next if job.data == 2

      queue.put("k", 2, jid: "j", on_conflict: "move")
      eventually { job.lost }
      seen << job.lost
      nil
    end
    running(worker) { assert_equal "replaced", take(seen) }
  end
end
