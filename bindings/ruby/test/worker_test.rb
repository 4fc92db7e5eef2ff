# frozen_string_literal: true

require_relative "case"

# How a worker takes jobs, runs their handlers and ends.
class WorkerTest < Case
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

  def test_a_second_run_is_refused_while_the_first_goes_on
    queue.put("k", jid: "j")
    worker = new_worker
    refused = Thread::Queue.new
    worker.perform("k") do
      worker.run
    rescue Manyhands::Error => e
      refused << e
      nil
    end
    running(worker) { eventually { client.job("j").state == "completed" } }
    error = refused.pop
    assert_instance_of Manyhands::WrongState, error
    assert_equal "WRONG_STATE: the worker runs already (during worker_run)", error.message
    assert_raises(Manyhands::Closed) { worker.run }
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
