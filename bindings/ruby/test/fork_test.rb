# frozen_string_literal: true

require_relative "case"

class ForkTest < Case
  # Runs the block in a forked child; its status.
  def forked(&block)
    Process.fork do
      status = 1
      status = 0 if block.call
    rescue StandardError => e
      warn e.full_message
    ensure
      Process.exit!(status)
    end
  end

  def assert_all_succeed(pids)
    statuses = pids.map { |pid| Process.wait2(pid).last }
    assert statuses.all?(&:success?), statuses.inspect
  end

  def test_children_use_a_client_made_before_the_fork
    queue.put("k", -1)
    hammer = Array.new(4) { Thread.new { 100.times { |n| queue.put("parent", n) } } }
    pids = Array.new(20) { |n| forked { 10.times { |i| queue.put("child", [n, i]) } } }
    assert_all_succeed(pids)
    hammer.each(&:join)
    assert_equal 1 + 400 + 200, queue.counts[:waiting]
  end

  def test_children_reserve_under_names_of_their_own
    20.times { |n| queue.put("k", n) }
    queue.reserve.fetch(0).complete
    pids = Array.new(3) do
      forked { queue.reserve(6).each(&:complete).all? { |job| job.worker.include?(":#{Process.pid}:") } }
    end
    assert_all_succeed(pids)
    assert_equal 1, unfinished
  end

  def test_a_worker_that_runs_is_of_no_use_to_a_child_but_says_so
    worker = new_worker.perform("k") { nil }
    running(worker) do
      queue.put("k")
      eventually { unfinished.zero? }
      pid = forked do
        worker.next(timeout: 5)
        false
      rescue Manyhands::Closed => e
        e.message.include?("fork")
      end
      assert_all_succeed([pid])
    end
  end

  def test_a_worker_described_before_the_fork_runs_in_the_children
    worker = new_worker.perform("k") { |job| (worker.stop if job.data == "last") || Process.pid }
    3.times { queue.put("k", "last") }
    assert_all_succeed(Array.new(3) { forked { worker.run || true } })
    assert_equal 0, unfinished
  end

  def test_a_child_collects_garbage_and_exits_as_any_process
    queue.put("k", jid: "j")
    output = program(<<~RUBY).read
      worker = Manyhands::Worker.new(CLIENT, queues: ["q"]).perform("k") { nil }
      Thread.new { worker.run }
      Thread.pass until CLIENT.job("j").state == "completed"
      child = fork do
        GC.start
        CLIENT.queue("other").put("k")
        GC.start
      end
      puts Process.wait2(child).last.exitstatus
    RUBY
    assert_equal "0\n", output
    assert_equal 1, client.queue("other").counts[:waiting]
  end

  def test_a_child_that_a_handler_forked_is_ended_by_signals
    queue.put("k")
    children = Thread::Queue.new
    worker = new_worker.perform("k") { (children << Process.fork { sleep }) && nil }
    running(worker) do
      pid = take(children)
      Process.kill("TERM", pid)
      assert_predicate Process.wait2(pid).last, :signaled?
    end
  end
end
