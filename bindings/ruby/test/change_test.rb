# frozen_string_literal: true

require_relative "case"

# What can be done to a job besides ending it.
class ChangeTest < Case
  def put(jid, **options)
    queue.put("k", { "n" => 1 }, jid:, **options)
    client.job(jid)
  end

  def reserved(**options)
    queue.put("k", { "n" => 1 }, **options)
    queue.reserve.fetch(0)
  end

  def test_cancel
    put("a")
    put("b", dependencies: ["a"])
    error = assert_raises(Manyhands::HasDependents) { client.job("a").cancel }
    assert_equal "job_cancel", error.operation
    assert_equal %w[a b], client.cancel(%w[a b nobody]).sort
    assert_nil client.job("a")
    job = put("c")
    assert job.cancel
    refute job.cancel
    assert_equal "cancelled", job.state
  end

  def test_a_cancelled_job_is_lost_to_who_runs_it
    job = reserved
    client.cancel([job.jid])
    assert_equal "cancelled", assert_raises(Manyhands::LockLost) { job.complete }.reason
  end

  def test_requeue
    job = reserved(retries: 3, tags: %w[a])
    assert_equal "scheduled", job.requeue(queue: "next", data: { "n" => 2 }, delay: 60, priority: 5)
    assert_equal %w[next scheduled], [job.queue, job.state]
    seen = client.job(job.jid)
    assert_equal ["next", "scheduled", { "n" => 2 }, 5, 3, %w[a]],
                 [seen.queue, seen.state, seen.data, seen.priority, seen.remaining, seen.tags]
    assert_equal "waiting", seen.requeue(data: nil)
    assert_nil client.job(job.jid).data
    assert_equal "blocked", put("b").requeue(dependencies: [job.jid])
  end

  def test_timeout
    job = reserved(retries: 1)
    assert_equal "waiting", client.job(job.jid).timeout
    assert_equal "expired", assert_raises(Manyhands::LockLost) { job.complete }.reason
    assert_raises(Manyhands::WrongState) { client.job(job.jid).timeout }
    assert_equal "failed", queue.reserve.fetch(0).timeout
  end

  def test_prioritize
    put("a")
    job = put("b")
    assert_nil job.prioritize(7)
    assert_equal [7, "b"], [job.priority, queue.reserve.fetch(0).jid]
  end

  def test_tags
    job = put("a", tags: %w[x])
    assert_equal %w[x y z], job.tag("y", :z)
    assert_equal %w[y], job.untag("x", "z", "nothing")
    assert_equal [%w[y], %w[y]], [job.tags, client.job("a").tags]
  end

  def test_track
    job = put("a")
    assert job.track
    refute job.track
    assert_predicate job, :tracked?
    assert job.untrack
    refute job.untrack
    refute_predicate client.job("a"), :tracked?
  end

  def test_dependencies
    put("a")
    job = put("b")
    assert_equal %w[nobody], job.depend("a", "nobody")
    assert_equal ["blocked", %w[a], %w[b]], [job.state, job.dependencies, client.job("a").dependents]
    assert_raises(Manyhands::Cycle) { client.job("a").depend("b") }
    assert_raises(Manyhands::UnknownDependency) { client.job("a").depend("nobody", missing: "reject") }
    assert_equal "waiting", job.undepend("a")
    assert_empty job.dependencies
    job.depend("a")
    assert_equal "waiting", job.undepend(all: true)
    assert_refused(Manyhands::InvalidArgument, "on and all") { job.undepend }
  end

  def test_complete_into_a_queue_where_it_waits_for_others
    put("a", delay: 60)
    job = reserved
    assert_equal "blocked", job.complete(1, queue: "next", dependencies: ["a"])
    assert_equal %w[a], client.job(job.jid).dependencies
  end

  def test_log
    job = reserved
    assert_nil job.log("half way", { "at_ms" => 5, "l" => [] })
    job.log("plain")
    first, second = job.history.last(2)
    assert_equal ["log", "half way", { "at_ms" => 5, "l" => [] }], first.values_at(:what, :message, :data)
    assert_kind_of Time, first[:at]
    assert_equal ["plain", nil], second.values_at(:message, :data)
    client.job(job.jid).requeue
    assert_equal "replaced", assert_raises(Manyhands::LockLost) { job.log("too late") }.reason
    client.job(job.jid).log("by anybody")
    assert_equal "by anybody", client.job(job.jid).history.last[:message]
  end

  def test_a_job_that_another_holds_is_not_in_hand_because_it_was_looked_up
    job = reserved
    seen = client.job(job.jid)
    assert_equal job.token, seen.token
    refute_predicate seen, :held?
    %i[complete release heartbeat].each { |verb| assert_raises(Manyhands::WrongState) { seen.public_send(verb) } }
    assert_raises(Manyhands::WrongState) { seen.progress(0.5) }
    client.job(job.jid).requeue
    seen.log("by anybody")
    assert_equal "by anybody", client.job(job.jid).history.last[:message]
  end

  def test_progress
    job = reserved
    assert_nil job.progressed
    assert_nil job.progress(0.5, "half")
    assert_equal [0.5, "half"], job.progressed.values_at(:value, :note)
    assert_kind_of Time, client.job(job.jid).progressed[:at]
    job.progress(1)
    assert_in_delta 1, client.job(job.jid).progressed[:value]
    assert_raises(Manyhands::WrongState) { put("free").progress(0.1) }
  end

  def test_heartbeat_with_data_keeps_it_at_once
    client.config.set("heartbeat", 7)
    job = reserved
    job.data = { "n" => 2 }
    assert_in_delta 7, job.heartbeat(data: { "l" => [], "n" => 12_345_678_901_234_567 })
    assert_equal '{"l":[],"n":12345678901234567}', job.raw_data
    assert_equal job.raw_data, client.job(job.jid).raw_data
    assert_equal "waiting", job.complete(queue: "next")
    assert_equal job.raw_data, client.job(job.jid).raw_data
  end

  def test_a_handler_may_cancel_move_or_time_out_its_job
    3.times { |n| queue.put("k", %w[cancel requeue timeout][n], jid: "j#{n}", retries: 0) }
    lost = []
    worker = new_worker(shutdown_timeout: PATIENCE)
    worker.on_lock_lost { |job, _| lost << job.jid }
    worker.perform("k") do |job|
      job.data == "requeue" ? job.requeue(queue: "next") : job.public_send(job.data)
    end
    running(worker) { eventually { client.queue("next").length == 1 && unfinished.zero? } }
    assert_equal [nil, "waiting", "failed"], Array.new(3) { |n| client.job("j#{n}")&.state }
    assert_empty lost
    refute_includes log.string, "refused"
  end

  def test_a_worker_s_job_does_all_this_too
    worker = new_worker
    queue.put("k", 1, jid: "a", throttles: %w[t], tags: %w[x])
    job = worker.next(timeout: PATIENCE)
    assert_equal [%w[t], nil, false], [job.throttles, job.parent, job.tracked?]
    job.progress(0.5)
    job.log("here")
    assert_operator job.heartbeat(data: 2), :>, 1
    assert_equal "waiting", job.complete(queue: "next")
    assert_equal 2, client.job("a").data
  end

  def test_what_is_gone
    job = put("a")
    client.cancel(["a"])
    acts = [-> { job.prioritize(1) }, -> { job.tag("x") }, -> { job.untag("x") }, -> { job.depend("b") },
            -> { job.undepend(all: true) }, -> { job.log("x") }, -> { job.timeout }, -> { job.requeue }]
    acts.each { |act| assert_raises(Manyhands::JobNotFound, &act) }
    refute job.track
    assert_nil job.explain
  end
end
