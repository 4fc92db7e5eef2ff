# frozen_string_literal: true

require_relative "case"

# How a worker chooses among its queues: Q24.
class StrategyTest < Case
  def test_a_setting_replaces_a_strategy_with_its_weights
    worker = new_worker(strategy: "weighted", weights: { "q" => 2 })
    assert_equal %w[q], worker.tap { |one| one.override(strategy: "ordered") }.queues
  end

  def test_a_function_chooses_before_every_job
    %w[a b c].each { |name| client.queue(name).put("k", name) }
    asked = Thread::Queue.new
    performed = Thread::Queue.new
    worker = new_worker(queues: %w[a b c], strategy: ->(queues) { (asked << queues) && (queues.reverse - ["a"]) })
    worker.perform("k") { |job| performed << job.data and nil }
    running(worker) { assert_equal %w[c b], [take(performed), take(performed)] }
    assert_equal %w[a b c], asked.pop
    assert_equal 1, client.queue("a").counts[:waiting]
  end

  def test_a_function_never_sees_a_pattern
    client.queue("mail-a").put("k", jid: "j")
    asked = []
    worker = new_worker(queues: ["mail-*"], strategy: ->(queues) { (asked << queues) && queues })
    assert_equal "j", worker.next(timeout: 5).jid
    assert_equal [["mail-a"]], asked.uniq
  end

  def test_a_function_is_asked_again_while_no_job_comes
    allowed = []
    worker = new_worker(strategy: ->(_) { allowed })
    queue.put("k", jid: "j")
    assert_nil worker.next(timeout: 0)
    allowed = [:q]
    assert_equal "j", worker.next(timeout: 5).jid
  end

  def test_what_a_function_raises_is_logged_and_its_last_order_stays
    worker = new_worker(strategy: ->(_) { raise "no idea" }).perform("k") { 1 }
    jid = queue.put("k").jid
    running(worker) { eventually { client.job(jid).state == "completed" } }
    assert_includes log.string, "strategy raised RuntimeError: no idea"
  end

  def test_weights_share_jobs_out
    %w[a b].each { |name| client.queue(name).put_many(Array.new(200) { { kind: "k", data: name } }) }
    worker = new_worker(queues: %w[a b], strategy: "weighted", weights: { "a" => 1000 })
    jobs = Array.new(40) { worker.next(timeout: 5).tap(&:complete) }
    counts = jobs.map(&:data).tally
    assert_operator counts["a"], :>, counts.fetch("b", 0)
    assert_refused(Manyhands::InvalidArgument, "weights") { new_worker(strategy: "weighted", weights: { "a" => 0 }) }
  end
end
