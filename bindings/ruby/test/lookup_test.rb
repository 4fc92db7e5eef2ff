# frozen_string_literal: true

require_relative "case"

# What can be read of many jobs, and of whom and what they have to do with.
class LookupTest < Case
  def put(*jids, **options)
    queue.put_many(jids.map { |jid| { kind: "k", jid:, **options } })
  end

  def fail_all(group)
    queue.reserve(250).each { |job| job.fail(group) }
  end

  def test_jobs_in_the_order_asked
    put("a", "b")
    found = client.jobs(%w[b nobody a])
    assert_equal ["b", nil, "a"], [found[0].jid, found[1], found[2].jid]
    assert_empty client.jobs([])
  end

  # Q16: a reply has 8 MiB of jobs; the rest is asked for again.
  def test_jobs_and_peek_ask_for_what_one_reply_could_not_hold
    jids = Array.new(10) { |n| "large-#{n}" }
    queue.put_many(jids.first(5).map { |jid| { kind: "k", jid:, data: "x" * 1_000_000 } })
    queue.put_many(jids.last(5).map { |jid| { kind: "k", jid:, data: "x" * 1_000_000 } })
    assert_equal jids, client.jobs(jids).map(&:jid)
    assert_equal jids, queue.peek.map(&:jid)
  end

  def test_pages
    put(*%w[a b c d e])
    page = queue.jobs("waiting", offset: 1, limit: 2)
    assert_equal [5, %w[b c], 2, "b", "c"], [page.total, page.jids, page.size, page[0], page[-1]]
    assert_equal %w[b c], page.jobs.map(&:jid)
    assert_equal %w[B C], page.map(&:upcase)
    assert_same(page, page.each(&:size))
    assert_equal "b", page.each.next
    assert_equal "#<Manyhands::JidPage 2 of 5>", page.inspect
    assert_empty queue.jobs("waiting", offset: 9)
  end

  def test_completed
    put("a", "b")
    queue.reserve.fetch(0).complete
    queue.reserve.fetch(0).complete
    assert_equal [2, %w[a b]], [client.completed.total, client.completed.jids.sort]
    assert_equal 1, client.completed(limit: 1).size
  end

  def test_failures_and_unfail
    put(*%w[a b c])
    fail_all("bad")
    assert_equal [["bad", 3]], client.failures.items
    assert_equal [3, %w[a b c]], [client.failed("bad").total, client.failed("bad").jids.sort]
    assert_equal 1, client.unfail("bad", limit: 1)
    assert_equal 2, client.unfail("bad", queue: "other")
    assert_equal [1, 2], [queue.length, client.queue("other").length]
    assert_empty client.failures
  end

  def test_tags
    put("a", tags: %w[red blue])
    put("b", tags: %w[red])
    assert_equal [["red", 2], ["blue", 1]], client.tags.items
    assert_equal %w[a b], client.tagged("red").jids
    assert_equal [0, []], [client.tagged("green").total, client.tagged("green").jids]
  end

  def test_tracked
    put("a", "b")
    assert_equal 2, client.track(%w[a b nobody])
    assert_equal 0, client.track(%w[a])
    assert_equal %w[a b], client.tracked.jids
    assert_predicate client.job("a"), :tracked?
    assert_equal 1, client.untrack(%w[a])
    assert_equal %w[b], client.tracked.jids
  end

  def test_queues
    put("a")
    client.queue("r").put("k", nil, delay: 60)
    counts = client.queues.map { |one| one.values_at(:name, :waiting, :scheduled) }
    assert_equal [["q", 1, 0], ["r", 0, 1]], counts
  end

  def test_workers
    put("a", "b")
    worker = new_worker.perform("k") { nil }
    running(worker) do
      page = eventually { client.workers.then { |found| found if found.size.positive? } }
      seen = page[0]
      assert_equal [worker.name, false, "ruby"], [seen[:name], seen[:lost], seen[:status][:language]]
      assert_kind_of Float, seen[:silent]
    end
    client.call("worker_pulse", { worker: "w", status: {}, jobs: [] })
    assert_equal 1, client.deregister(%w[w nobody])
  end

  def test_worker_jobs
    client.config.set("heartbeat", 0.1)
    put("a")
    queue.reserve(worker: "w")
    client.config.set("heartbeat", 60)
    put("b")
    queue.reserve(worker: "w")
    page = eventually { client.worker_jobs("w").then { |found| found if found.stalled == 1 } }
    assert_equal [2, %w[a b]], [page.total, page.jids]
  end

  def test_explain
    put("a")
    queue.pause
    why = client.explain("a")
    assert_equal ["a", "waiting", "q", 0], why.values_at(:jid, :state, :queue, :position)
    reasons = why[:reasons].map { |reason| reason[:why] }
    assert_equal %w[no-worker paused], reasons.sort
    queue.put("k", nil, jid: "late", delay: 60)
    assert_in_delta 60, client.job("late").explain[:reasons][0][:due_in], PATIENCE
    assert_nil client.explain("nobody")
  end

  def test_sweep
    queue.put("k", nil, delay: 60)
    swept = client.sweep
    assert_equal [0, 0], swept.values_at(:moved, :trimmed)
    assert_in_delta 60, swept[:next_due], PATIENCE
  end

  def test_check_finds_and_repairs
    put("a", "b")
    assert_empty client.check(limit: 1)
    SERVER.command("ZREM", "{#{client.namespace}}:waiting:q", "a")
    found = client.check.map { |one| one.values_at(:rule, :jid, :repaired) }
    assert_equal [["missing", "a", false]], found
    rules = []
    assert_equal 1, client.check(repair: true) { |violation| rules << violation[:repaired] }
    assert_equal [true], rules
    assert_empty client.check
    assert_equal %w[a b], queue.jobs("waiting").jids.sort
  end
end
