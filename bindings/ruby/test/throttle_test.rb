# frozen_string_literal: true

require_relative "case"

class ThrottleTest < Case
  def test_a_limit_on_jobs_that_name_it
    throttle = client.throttle("t")
    assert_nil throttle.limit
    throttle.limit = 1
    queue.put_many(Array.new(3) { |n| { kind: "k", jid: "j#{n}", throttles: %w[t] } })
    job = queue.reserve(3).fetch(0)
    assert_equal %w[t], job.throttles
    seen = { id: "t", queue: nil, limit: 1, held: 1, pending: 2, expires: nil }
    assert_equal seen, throttle.counts
    assert_equal [1, %w[j0], %w[j1 j2]], [throttle.held, throttle.holders.jids, throttle.pending.jids]
    assert_equal %w[j2], throttle.pending(offset: 1).jids
    assert_equal [seen], client.throttles.items

    assert throttle.release("j1")
    refute throttle.release("j1")
    assert throttle.delete
    refute throttle.delete
    assert_equal %w[j1 j2], queue.reserve(3).map(&:jid).sort
  end

  def test_no_limit_is_none
    throttle = client.throttle("t")
    throttle.limit = 0
    throttle.limit = nil
    assert_nil throttle.limit
    assert_empty client.throttles
  end

  def test_a_queue_s_own
    throttle = queue.throttle
    throttle.set(1, expires: 60)
    assert_equal ["q", 1], throttle.counts.values_at(:queue, :limit)
    assert_in_delta 60, throttle.counts[:expires], PATIENCE
    queue.put_many([{ kind: "k" }, { kind: "k" }])
    assert_equal 1, queue.reserve(2).size
    assert_equal 1, throttle.held
    assert_refused(Manyhands::InvalidArgument, "queue") { throttle.release("j") }
    assert_equal ['#<Manyhands::Throttle of queue "q">', '#<Manyhands::Throttle "t">'],
                 [throttle.inspect, client.throttle("t").inspect]
  end
end
