# frozen_string_literal: true

require_relative "case"

class RecurringTest < Case
  DATA = { "l" => [], "n" => 12_345_678_901_234_567 }.freeze

  def put(**options) = queue.put_recurring("k", DATA, interval: 60, **options)

  def test_put_and_get
    one = put(jid: "r", offset: 30, backlog: 2, priority: 5, retries: 1, tags: %w[a], throttles: %w[t], route: %w[n])
    assert_equal ["r", "k", "q", 60.0, 2, 0, false],
                 [one.jid, one.kind, one.queue, one.interval, one.backlog, one.count, one.paused?]
    assert_equal [5, 1, %w[a], %w[t], %w[n]], [one.priority, one.retries, one.tags, one.throttles, one.route]
    assert_equal [DATA, '{"l":[],"n":12345678901234567}'], [one.data, one.raw_data]
    assert_in_delta Time.now + 30, one.next_at, PATIENCE
    assert_equal "r", client.recurring("r").jid
    assert_nil client.recurring("nobody")
  end

  def test_its_jobs_name_it
    one = put
    assert_match(/\A\h{32}\z/, one.jid)
    job = queue.reserve.fetch(0)
    assert_equal ["#{one.jid}-1", one.jid, DATA], [job.jid, job.parent, job.data]
    assert_equal 1, client.recurring(one.jid).count
  end

  def test_update
    one = put(jid: "r", offset: 60)
    assert_same one, one.update(interval: 2.5, data: nil, kind: :other, queue: "next", priority: 1, backlog: 3)
    assert_equal [2.5, nil, "other", "next", 1, 3],
                 [one.interval, one.data, one.kind, one.queue, one.priority, one.backlog]
    assert_equal [], queue.recurring.items
    assert_equal ["r"], client.queue("next").recurring.map(&:jid)
  end

  def test_tags
    one = put(jid: "r", offset: 60)
    assert_equal %w[a b], one.tag("a", "b")
    assert_equal %w[b], one.untag("a")
    assert_equal %w[b], one.tags
  end

  def test_pause_and_resume
    one = put(jid: "r", offset: 60)
    assert one.pause
    refute one.pause
    assert_predicate one, :paused?
    assert_nil one.next_at
    assert one.resume
    refute one.resume
    refute_predicate one, :paused?
  end

  def test_list_and_cancel
    put(jid: "r", offset: 60)
    one = put(jid: "s", offset: 30)
    page = queue.recurring(limit: 1)
    assert_equal [2, ["s"], DATA], [page.total, page.map(&:jid), page[0].data]
    assert_equal %w[s r], queue.jobs("recurring").jids
    assert one.cancel
    refute one.cancel
    assert_raises(Manyhands::JobNotFound) { one.pause }
    assert_raises(Manyhands::JobNotFound) { one.update(priority: 1) }
    assert_equal ["k", DATA, "q", 60.0, false], [one.kind, one.data, one.queue, one.interval, one.paused?]
    gone = client.queue("q").recurring.first.tap { client.recurring("r").cancel }
    assert_equal %w[r k], [gone.jid, gone.kind]
    assert_equal "#<Manyhands::Recurring s>", one.inspect
  end
end
