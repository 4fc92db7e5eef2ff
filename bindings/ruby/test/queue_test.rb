# frozen_string_literal: true

require "date"

require_relative "case"

class QueueTest < Case
  def test_put_and_reserve_carry_everything
    placed = queue.put("greet", { "to" => "ann" }, jid: "j-1", priority: 5, retries: 2, tags: %w[a b], route: ["next"])
    assert_equal ["j-1", "put", []], placed.to_a

    job = queue.reserve.fetch(0)
    assert_equal ["j-1", "greet", "q", 5, 2, 2],
                 [job.jid, job.kind, job.queue, job.priority, job.retries, job.remaining]
    assert_equal [%w[a b], ["next"], "running", false], [job.tags, job.route, job.state, job.stalled?]
    assert_match(/\A.+:#{Process.pid}:\h{8}\z/, job.worker)
    assert_in_delta Time.now, job.put_at, PATIENCE
  end

  def test_data_comes_back_byte_for_byte
    texts = ['{"l":[],"n":12345678901234567}', "{\"é\":\"😀 日本 \u2028\"}", "[1.0,-0.5,1.0e+30]", "null", '"a\\u0000b"']
    texts.each do |text|
      queue.put("k", JSON.parse(text))
      job = queue.reserve.fetch(0)
      assert_equal text, job.raw_data
      assert_equal JSON.parse(text).inspect, job.data.inspect
      assert_equal text, client.job(job.jid).raw_data
    end
  end

  def test_data_may_hold_symbols_and_text_in_other_encodings
    queue.put(:k, { to: :ann, "né" => "é".encode(Encoding::ISO_8859_1), raw: "é".b })
    assert_equal '{"to":"ann","né":"é","raw":"é"}', queue.reserve.fetch(0).raw_data
  end

  def test_without_data_a_job_holds_null
    queue.put("k")
    assert_nil queue.reserve.fetch(0).data
  end

  def test_put_many_answers_each_in_order
    placed = queue.put_many([{ kind: "a", jid: "1" }, { kind: "b", data: [1], delay: 60 }, { kind: "a", jid: "1" }])
    assert_equal %w[put put replaced], placed.map(&:outcome)
    assert_equal "1", placed.first.jid
    assert_equal({ waiting: 1, scheduled: 1 }, queue.counts.slice(:waiting, :scheduled))
  end

  def test_on_conflict
    queue.put("k", 1, jid: "j")
    assert_equal "kept", queue.put("k", 2, jid: "j", on_conflict: "keep").outcome
    error = assert_raises(Manyhands::JobExists) { queue.put("k", 3, jid: "j", on_conflict: :reject) }
    assert_equal %w[j queue_put], [error.jid, error.operation]
    assert_equal "exists", queue.put_many([{ kind: "k", jid: "j", on_conflict: "reject" }]).fetch(0).outcome
    assert_equal 1, client.job("j").data
  end

  def test_reserve_takes_larger_priority_first_and_at_most_the_limit
    [0, 5, -3].each { |priority| queue.put("k", priority, priority:) }
    assert_equal [5, 0], queue.reserve(2).map(&:data)
    assert_equal [-3], queue.reserve(2).map(&:data)
    assert_empty queue.reserve
  end

  def test_reserve_in_a_name_of_one_s_own
    queue.put("k")
    assert_equal "me", queue.reserve(1, worker: "me").fetch(0).worker
  end

  def test_dependencies
    queue.put("k", jid: "a")
    placed = queue.put("k", jid: "b", dependencies: %w[a nobody])
    assert_equal %w[nobody], placed.satisfied
    assert_equal %w[a], client.job("b").dependencies
    error = assert_raises(Manyhands::UnknownDependency) do
      queue.put("k", dependencies: ["nobody"], missing: "reject")
    end
    assert_equal "queue_put", error.operation
    assert_raises(Manyhands::Cycle) { queue.put("k", jid: "a", dependencies: ["b"]) }
    placed = queue.put_many([{ kind: "k", jid: "c" }, { kind: "k", dependencies: %w[c] }])
    assert_equal [[], []], placed.map(&:satisfied)
    assert_equal 2, queue.counts[:blocked]
  end

  def test_pause_and_unpause
    queue.put("k")
    assert queue.pause
    refute queue.pause
    assert_empty queue.reserve
    assert queue.counts[:paused]
    assert queue.unpause
    refute queue.unpause
    assert_equal 1, queue.reserve.size
  end

  def test_length_peek_and_forget
    queue.put_many([{ kind: "k", data: 1 }, { kind: "k", data: 2, priority: 5 }, { kind: "k", delay: 60, jid: "late" }])
    assert_equal 3, queue.length
    assert_equal [2, 1], queue.peek.map(&:data)
    assert_equal [1], queue.peek(offset: 1, limit: 1).map(&:data)
    assert_equal %w[late], queue.jobs("scheduled").jids
    assert_raises(Manyhands::WrongState) { queue.forget }
    client.cancel([*queue.jobs("waiting"), "late"])
    assert queue.forget
    refute queue.forget
  end

  def test_counts_and_stats
    queue.put("k")
    queue.reserve.fetch(0).complete
    counts = queue.counts
    refute counts.delete(:paused)
    assert_equal %i[blocked recurring running scheduled stalled throttled waiting], counts.keys.sort
    assert_equal [0], counts.values.uniq

    stats = queue.stats
    assert_equal([1, 1], stats.values_at(:wait, :run).map { |sample| sample[:count] })
    assert_equal [0, 0], stats.values_at(:failures, :retries)
    assert_equal [1], stats[:run][:histogram].map(&:last)
    assert_kind_of Float, stats[:run][:mean]
    assert_equal 0, queue.stats(Date.new(2020, 1, 1))[:run][:count]
  end
end
