# frozen_string_literal: true

require_relative "case"
require "manyhands/testing"

# What running handlers are told: that their lease is lost, that they ran too long, or that somebody wants them to end.
class JobInterruptedTest < Case
  def native(worker) = worker.instance_variable_get(:@native)

  # A handler that only an interrupt ends, and what that said.
  def hanging(worker, started, heard, **limits)
    worker.perform("k", **limits) do |job|
      started << job.jid
      Thread::Queue.new.pop
    rescue Manyhands::JobInterrupted => e
      heard << [e.jid, e.reason]
      raise
    end
  end

  def test_a_lost_job_ends_its_handler_and_is_told
    queue.put("k", jid: "j")
    started, heard, lost = Array.new(3) { Thread::Queue.new }
    worker = new_worker.on(:lock_lost) { |job, reason| lost << [job.jid, reason] }
    hanging(worker, started, heard)
    running(worker) do
      take(started)
      client.job("j").cancel
      assert_equal %w[j cancelled], take(heard)
      assert_equal %w[j cancelled], take(lost)
    end
    assert_nil client.job("j")
    assert_includes log.string, "job j was interrupted: cancelled"
  end

  # What ends a run, by the reason that its handler hears.
  CAUSES = {
    "cancelled" => ->(job, _) { job.cancel },
    "expired" => ->(job, _) { job.timeout },
    "killed" => ->(_, worker) { worker.kill_running },
    "timeout" => ->(*) {}
  }.freeze

  # No lease ends meanwhile. One of three may take longer on a busy machine.
  CAUSES.each do |reason, cause|
    define_method("test_a_handler_hears_that_it_is_over_within_two_seconds_#{reason}") do
      client.config.set("heartbeat", 600)
      queue.put_many([{ kind: "k" }] * 3)
      started, heard = Array.new(2) { Thread::Queue.new }
      worker = new_worker(shutdown_timeout: 0)
      hanging(worker, started, heard, timeout: (0.2 if reason == "timeout"))
      running(worker) do
        spans = Array.new(3) do
          jid = take(started)
          began = now
          cause.call(client.job(jid), worker)
          assert_equal [jid, reason], take(heard)
          now - began
        end
        assert_operator spans.min, :<, 2, spans.to_s
      end
    end
  end

  def test_a_handler_that_runs_too_long_spends_a_retry
    queue.put("k", jid: "j")
    queue.put("k", jid: "last", retries: 0)
    started, heard, failures = Array.new(3) { Thread::Queue.new }
    worker = new_worker(threads: 2).on(:failure) { |job, error| failures << [job.jid, error.class] }
    hanging(worker, started, heard, timeout: 0.2)
    running(worker) { eventually { client.job("last").state == "failed" && client.job("j").state == "scheduled" } }
    assert_equal [%w[j timeout], %w[last timeout]], [take(heard), take(heard)].sort
    assert_equal 4, client.job("j").remaining
    failure = client.job("last").failure
    assert_equal ["k:JobInterrupted", "the handler ran longer than its timeout"], failure.values_at(:group, :message)
    assert_includes failure[:trace], __FILE__
    assert_equal [["j", Manyhands::JobInterrupted], ["last", Manyhands::JobInterrupted]],
                 [take(failures), take(failures)].sort_by(&:first)
  end

  def test_the_timeout_of_a_worker_holds_for_kinds_without_one
    queue.put("k", jid: "j", retries: 0)
    queue.put("patient", jid: "patient")
    started, heard = Array.new(2) { Thread::Queue.new }
    worker = new_worker(threads: 2, timeout: 0.1)
    hanging(worker, started, heard)
    worker.perform("patient", timeout: PATIENCE) { eventually { client.job("j").state == "failed" } && "done" }
    running(worker) { eventually { unfinished.zero? } }
    assert_equal %w[j timeout], take(heard)
    assert_equal "done", client.job("patient").result
  end

  def test_a_killed_job_is_given_back_when_its_handler_has_ended
    queue.put("k", jid: "j")
    started, heard, leave = Array.new(3) { Thread::Queue.new }
    worker = new_worker.perform("k") do |job|
      next "again" if started.size.positive?

      started << job.jid
      begin
        Thread::Queue.new.pop
      ensure
        heard << :cleaning
        Thread.handle_interrupt(Object => :never) { leave.pop }
      end
    end
    running(worker) do
      eventually { started.size.positive? }
      worker.kill_running
      take(heard)
      assert_state "running", "j"
      leave << 1
      eventually { client.job("j").state == "completed" }
    end
    assert_equal ["again", 5], [client.job("j").result, client.job("j").remaining]
  end

  def test_a_paused_worker_takes_nothing_until_it_is_resumed
    performed = Thread::Queue.new
    paused = new_worker
    paused.pause
    paused.perform("k") { |job| (performed << job.jid) && nil }
    running(paused) do
      queue.put("k", jid: "first")
      other = new_worker
      job = other.next(timeout: 10)
      assert_equal ["first", true], [job.jid, paused.paused?]
      job.complete
      other.close
      paused.resume
      queue.put("k", jid: "second")
      assert_equal ["second", false], [take(performed), paused.paused?]
    end
  end

  # What becomes of a job whose first run is killed as soon as the block has told that it began.
  def killed_once(&handler)
    queue.put("k", jid: "j")
    runs = Thread::Queue.new
    worker = new_worker.perform("k") { |_| handler.call(runs << 1) }
    running(worker) do
      eventually { runs.size == 1 }
      worker.kill_running
      eventually { client.job("j").state == "completed" }
    end
    client.job("j")
  end

  def test_an_error_of_the_clean_up_after_a_kill_spends_no_retry
    job = killed_once do |runs|
      next "again" if runs.size > 1

      Thread::Queue.new.pop
    ensure
      raise "no clean end" if runs.size == 1
    end
    assert_equal ["again", 5], [job.result, job.remaining]
  end

  def test_who_swallows_an_interrupt_ends_as_usual
    job = killed_once do |_runs|
      Thread::Queue.new.pop
    rescue Manyhands::JobInterrupted
      "finished anyway"
    end
    assert_equal "finished anyway", job.result
  end

  RUNS = Manyhands.const_get(:Runs)

  # Lets interrupts in as the place of a handler does.
  def let_in
    Thread.handle_interrupt(Object => :immediate) { Thread.pass }
    :none
  rescue Manyhands::JobInterrupted => e
    e.reason
  end

  # A run on a thread that holds interrupts back as those of a worker do.
  def during(runs, jid, &)
    job = Manyhands::Job.build("k", jid:)
    Thread.handle_interrupt(RUNS::HELD_BACK) { runs.during(job, &) }
  end

  def test_an_interrupt_that_comes_too_late_is_gone
    runs = RUNS.new
    during(runs, "j") do
      Thread.new { 3.times { runs.interrupt("j", nil, "killed") } }.join
      assert_equal "killed", let_in
    end
    assert_equal :none, let_in
    during(runs, "next") { assert_equal :none, let_in }
    assert_empty runs.list
  end

  def test_an_interrupt_that_comes_before_its_run_waits_for_it
    runs = RUNS.new
    1000.times { |n| runs.interrupt("ended-#{n}", nil, "killed") }
    runs.interrupt("j", nil, "cancelled")
    during(runs, "other") { assert_equal :none, let_in }
    during(runs, "ended-0") { assert_equal :none, let_in, "the oldest was forgotten" }
    during(runs, "j") { assert_equal "cancelled", let_in }
  end

  # Each run would take a lock for it.
  def test_an_interrupt_that_finds_no_run_is_forgotten_after_a_while
    runs = RUNS.new
    at = 0.0
    runs.define_singleton_method(:now) { at }
    runs.interrupt("ended", nil, "killed")
    at = 9.0
    runs.interrupt("j", nil, "cancelled")
    runs.forget
    during(runs, "ended") { assert_equal "killed", let_in, "it may still come" }
    runs.interrupt("ended", nil, "killed")
    at = 11.0
    runs.interrupt("j", nil, "expired")
    at = 20.0
    runs.forget
    during(runs, "ended") { assert_equal :none, let_in }
    during(runs, "j") { assert_equal "expired", let_in, "it was said again" }
    assert_empty early(runs)
  end

  def test_a_worker_forgets_interrupts_that_find_no_run
    worker = new_worker
    running(worker) do
      runs = eventually { worker.runs }
      runs.interrupt("ended", nil, "killed")
      began = now
      runs.define_singleton_method(:now) { began + 60 }
      eventually { early(runs).empty? }
    end
  end

  def early(runs) = runs.instance_variable_get(:@early)

  # Whether an interrupt that comes now, while this thread runs and while it waits, is kept until it is let in.
  def held_back?
    thread = Thread.current
    Thread.new { thread.raise(Manyhands::JobInterrupted.new("j", "killed")) }.join
    sleep 0
    let_in == "killed"
  rescue Manyhands::JobInterrupted
    false
  end

  def test_interrupts_are_held_back_on_a_workers_threads_but_in_handlers
    held = {}
    queue.put("k", jid: "j")
    worker = new_worker(strategy: ->(queues) { queues.tap { held[:strategy] = held_back? } })
    worker.on(:after_perform) { held[:after] = held_back? }.perform("k") { held[:handler] = held_back? }
    running(worker) { |thread| eventually { held.size == 3 || !thread.alive? } }
    assert_equal({ strategy: true, handler: false, after: true }, held)
    assert_state "completed", "j"
  end

  def test_interrupts_are_held_back_while_a_test_drains_but_in_handlers
    held = {}
    queue.put("k", jid: "j")
    worker = new_worker.on(:after_perform) { held[:after] = held_back? }.perform("k") { held[:handler] = held_back? }
    Manyhands::Testing.drain(worker)
    assert_equal({ handler: false, after: true }, held)
    assert_state "completed", "j"
  end

  # So that jobs end also where each takes long, as when signatures are compared.
  MOST_KILLS = 500

  # Interrupts that hit at any instruction of a run, before and after it: every job is performed to its end, no thread
  # dies, and no interrupt is left over for the next job.
  def test_interrupts_never_hit_outside_a_handler
    jids = []
    finished = Thread::Queue.new
    kills = 0
    worker = new_worker(threads: 4).perform("k") do |job|
      (job.data % 7).times { Thread.pass }
      Thread.handle_interrupt(Manyhands::JobInterrupted => :never) { (finished << job.data) && nil }
    end
    running(worker) do |thread|
      runs = eventually { worker.runs }
      until kills.positive? && unfinished.zero?
        assert_predicate thread, :alive?
        200.times { jids << queue.put("k", jids.size).jid } if unfinished.zero?
        kills += kill_at_any_time(runs, worker) if kills < MOST_KILLS
      end
    end
    assert_equal (0...jids.size).to_a, Array.new(finished.size) { finished.pop }.uniq.sort
    assert(jids.each_slice(200).all? { |some| client.jobs(some).all? { |job| job.remaining == 5 } })
    refute_includes log.string, "raised"
  end

  # Calls at any time, whatever the threads do.
  def kill_at_any_time(runs, worker)
    worker.kill_running
    native(worker).take_interrupts.each { |one| runs.interrupt(*one) }.size
  end
end
