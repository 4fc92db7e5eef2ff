# frozen_string_literal: true

require_relative "case"

class WorkerTest < Case
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

  def test_it_performs_and_keeps_the_result
    queue.put("double", 21, jid: "j")
    worker = new_worker.perform(:double) { |job| job.data * 2 }
    running(worker) { eventually { client.job("j").state == "completed" } }
    assert_equal 42, client.job("j").result
    assert_equal worker.name, client.job("j").history[1][:worker]
    assert_empty log.string
  end

  def test_threads_drain_a_queue_and_each_job_is_performed_once
    300.times { |n| queue.put("k", n, jid: "j#{n}") }
    done = Thread::Queue.new
    worker = new_worker(threads: 8).perform("k") { |job| (done << [job.data, Thread.current.name]) && nil }
    running(worker) { eventually { unfinished.zero? } }
    performed = Array.new(done.size) { done.pop }
    assert_equal (0...300).to_a, performed.map(&:first).sort
    assert_operator performed.map(&:last).uniq.size, :>, 1
  end

  def test_it_starts_a_job_put_while_it_waits
    done = Thread::Queue.new
    worker = new_worker.perform("k") { |job| (done << job.data) && nil }
    running(worker) do
      queue.put("k", 1)
      assert_equal 1, take(done)
      queue.put("k", 2, delay: 0.05)
      assert_equal 2, take(done)
    end
  end

  def test_handlers_run_at_the_same_time
    2.times { queue.put("meet") }
    arrived = Thread::Queue.new
    leave = Thread::Queue.new
    worker = new_worker(threads: 2).perform("meet") { (arrived << 1) && leave.pop && nil }
    running(worker) do
      2.times { take(arrived) }
      leave.close
    end
    assert_equal 0, unfinished
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
    trace = "WorkerTest::Speechless\n<its backtrace raised>"
    assert_equal ["break:Speechless", "<its message raised>", trace],
                 failure.values_at(:group, :message, :trace)
    assert_includes log.string, "<its message raised>"
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

  def test_it_serves_its_queues_in_their_order
    client.queue("low").put("k", "low")
    client.queue("high").put("k", "high")
    order = Thread::Queue.new
    worker = Manyhands::Worker.new(client, queues: %w[high low])
    worker.perform("k") { |job| (order << job.data) && nil }
    running(worker) { assert_equal %w[high low], [take(order), take(order)] }
  end

  def test_handlers_come_before_the_start
    worker = new_worker.perform("k") { nil }
    running(worker) do
      queue.put("k")
      eventually { unfinished.zero? }
      assert_raises(Manyhands::WrongState) { worker.perform("late") { nil } }
    end
    assert_raises(Manyhands::Closed) { worker.run }
  end

  def test_a_stop_leaves_time_to_running_handlers
    queue.put("k", jid: "j")
    started = Thread::Queue.new
    leave = Thread::Queue.new
    worker = new_worker.perform("k") { (started << 1) && leave.pop && "late" }
    thread = Thread.new { worker.run }
    take(started)
    worker.stop
    queue.put("k", jid: "second")
    leave << 1
    thread.join
    assert_equal "late", client.job("j").result
    assert_state "waiting", "second"
  end

  def test_a_handler_that_outlasts_a_stop_is_killed_and_its_job_given_back
    queue.put("k", jid: "j")
    started = Thread::Queue.new
    cleaned = Thread::Queue.new
    worker = new_worker(shutdown_timeout: 0.05).perform("k") do
      started << 1
      Thread::Queue.new.pop
    ensure
      cleaned << 1
    end
    running(worker) { take(started) }
    assert_equal 1, cleaned.size
    assert_equal ["waiting", 5], [client.job("j").state, client.job("j").remaining]
  end

  def test_an_exit_in_a_handler_ends_the_worker_but_not_the_job
    queue.put("k", jid: "j")
    output = program(<<~RUBY).read
      worker = Manyhands::Worker.new(CLIENT, queues: ["q"], logger: Logger.new(File::NULL))
      worker.perform("k") { exit 3 }
      at_exit { puts "status \#{$!.status}" }
      worker.run
    RUBY
    assert_equal "status 3\n", output
    assert_equal ["scheduled", 4], [client.job("j").state, client.job("j").remaining]
  end

  def test_it_ends_when_it_has_started_so_many_jobs
    5.times { |n| queue.put("k", n) }
    done = Thread::Queue.new
    worker = new_worker(threads: 2, max_jobs: 3).perform("k") { |job| (done << job.data) && nil }
    worker.run
    assert_equal [3, 2], [done.size, queue.counts[:waiting]]
  end

  # Waits for news, each of which lasts `interval` at most: 10 ms here, so more than 2 s would allow.
  def test_an_idle_worker_looks_again_after_its_interval
    waits = "return tonumber(redis.call('INFO', 'commandstats'):match('cmdstat_blpop:calls=(%d+)') or 0)"
    count = -> { SERVER.command("EVAL", waits, 0).delete_prefix(":").to_i }
    before = count.call
    running(new_worker(interval: 0.01)) { assert(eventually { count.call > before + PATIENCE }) }
    new_worker(interval: 86_400)
  end

  def test_what_it_does_is_logged_and_counted
    sink = UDPSocket.new.tap { |socket| socket.bind("127.0.0.1", 0) }
    queue.put("k", jid: "j")
    _, written = capture_subprocess_io do
      worker = new_worker(log: "json", max_jobs: 1, statsd: { host: "127.0.0.1", port: sink.addr[1], key: "jobs" })
      worker.perform("k") { nil }.run
    end
    line = written.lines.filter_map { |text| JSON.parse(text) if text.start_with?("{") }.first
    assert_equal %w[k j], line.values_at("kind", "jid")
    assert sink.wait_readable(PATIENCE)
    assert_includes sink.recv(1500), "jobs.k."
  ensure
    sink.close
  end

  def test_next_is_for_loops_of_one_s_own
    worker = new_worker
    assert_nil worker.next(timeout: 0)
    queue.put("k", 5, jid: "j")
    job = worker.next
    assert_equal 5, job.data
    assert_operator job.heartbeat, :>, 0
    assert_equal "completed", job.complete(6)
    assert_equal 6, client.job("j").result
    worker.close
    worker.close
    assert_nil worker.next
  end

  def test_what_keeps_a_worker_from_working_ends_it
    SERVER.command("ACL", "SETUSER", "weak", "on", ">pass", "~*", "+@connection")
    denied = Manyhands::Client.new("#{SERVER.url}?user=weak&password=pass")
    worker = Manyhands::Worker.new(denied, queues: ["q"], logger: Logger.new(log)).perform("k") { nil }
    assert_raises(Manyhands::Denied) { worker.run }
  end
end
