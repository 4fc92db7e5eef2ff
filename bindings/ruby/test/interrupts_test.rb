# frozen_string_literal: true

require "timeout"

require_relative "case"

class InterruptsTest < Case
  def test_other_threads_run_while_one_waits
    worker = new_worker
    counted = 0
    waiting = Thread.new { worker.next(timeout: PATIENCE) }
    eventually { waiting.status == "sleep" }
    100_000.times { counted += 1 }
    assert_predicate waiting, :alive?
    queue.put("k", counted)
    assert_equal 100_000, waiting.value.data
  end

  # Magnus looks a class up with const_get and panics when an interrupt gets in between.
  def test_the_first_use_of_a_class_looks_nothing_up
    child = bare_program(<<~RUBY)
      trace = TracePoint.new(:c_call) { |call| raise Interrupt if call.method_id == :const_get }
      client = trace.enable { Manyhands::Client.new(#{SERVER.url.inspect}) }
      trace.enable { Manyhands::Worker.new(client, queues: ["q"]) }
      trace.enable { Manyhands::Native::Events.open(client.native, "{}") }
      puts "no interrupt"
    RUBY
    assert_equal "no interrupt", child.gets&.chomp
  ensure
    child&.close
  end

  def test_a_killed_wait_ends_soon
    worker = new_worker
    waiting = Thread.new { worker.next }
    eventually { waiting.status == "sleep" }
    waiting.kill
    assert waiting.join(PATIENCE)
    queue.put("k", 1)
    assert_equal 1, worker.next.data
  end

  def test_a_timeout_ends_a_wait_and_the_worker_stays_usable
    worker = new_worker
    assert_raises(Timeout::Error) { Timeout.timeout(0.05) { worker.next } }
    queue.put("k", 1)
    assert_equal 1, worker.next.data
  end

  def test_an_exception_from_another_thread_ends_a_wait
    worker = new_worker
    waiting = Thread.new do
      worker.next
    rescue IOError => e
      e
    end
    eventually { waiting.status == "sleep" }
    waiting.raise(IOError, "enough")
    assert_equal "enough", waiting.value.message
  end

  def test_kills_at_the_arrival_of_a_job_lose_none
    worker = new_worker(threads: 4)
    performed = Thread::Queue.new
    200.times do |n|
      waiting = Thread.new do
        Thread.handle_interrupt(Object => :on_blocking) do
          job = worker.next
          performed << job.data
          job.complete
        end
      end
      eventually { waiting.status != "run" } # it may have had a job left over by the one before, and be done
      queue.put("k", n)
      waiting.kill
      waiting.join
    end
    while unfinished.positive? && (job = worker.next)
      performed << job.data
      job.complete
    end
    assert_equal (0...200).to_a, Array.new(performed.size) { performed.pop }.sort
    assert_equal 0, unfinished
  end

  def test_calls_work_where_interrupts_are_held_back
    text = <<~RUBY
      Thread.handle_interrupt(Object => :never) { CLIENT.queue("q").put("k", 1) }
      worker = Manyhands::Worker.new(CLIENT, queues: ["q"])
      Thread.handle_interrupt(Object => :never) { worker.next.complete }
      puts "done"
    RUBY
    assert_equal "done\n", program(text).read
  end

  # A client that was connected to a server which is gone.
  def deserted
    server = RedisServer.start
    lonely = Manyhands::Client.new(server.url)
    lonely.queue("q").put("k")
    server.stop
    lonely
  end

  def test_a_call_that_waits_for_an_absent_server_ends_when_its_thread_is_killed
    lonely = deserted
    calling = Thread.new { lonely.queue("q").put("k") }
    eventually { calling.status == "sleep" }
    calling.kill
    assert calling.join(PATIENCE)
  end

  def test_a_call_that_waits_for_an_absent_server_ends_with_its_timeout
    lonely = deserted
    began = now
    assert_raises(Timeout::Error) { Timeout.timeout(0.05) { lonely.queue("q").put("k") } }
    assert_operator now - began, :<, PATIENCE
    GC.start
    assert_raises(Manyhands::Error) { lonely.close || lonely.queue("q").counts }
  end

  def test_a_killed_wait_for_the_engine_s_word_on_a_job_ends_soon
    server = RedisServer.start
    lonely = Manyhands::Client.new(server.url)
    lonely.queue("q").put("k")
    worker = Manyhands::Worker.new(lonely, queues: ["q"])
    job = worker.next(timeout: PATIENCE)
    capture_subprocess_io do
      server.stop
      ending = Thread.new { job.complete }
      eventually { ending.status == "sleep" }
      ending.kill
      assert ending.join(PATIENCE)
      assert_raises(Manyhands::Unavailable) { worker.close(timeout: 0) }
    end
  end

  def test_traps_run_while_a_call_waits_for_an_absent_server
    lonely = deserted
    trapped = Thread::Queue.new
    previous = trap("USR1") { trapped << 1 }
    calling = Thread.new { lonely.queue("q").counts }
    eventually { calling.status == "sleep" }
    Process.kill("USR1", Process.pid)
    assert_equal 1, take(trapped)
    calling.kill.join
  ensure
    trap("USR1", previous)
  end

  def test_a_killed_run_gives_its_jobs_back
    queue.put("k", jid: "j")
    started = Thread::Queue.new
    worker = new_worker.perform("k") { (started << 1) && Thread::Queue.new.pop }
    thread = Thread.new { worker.run }
    take(started)
    thread.kill.join
    assert_equal ["waiting", 5], [client.job("j").state, client.job("j").remaining]
  end

  def test_a_killed_handler_is_an_error_of_its_job
    queue.put("k", jid: "j", retries: 0)
    worker = new_worker.perform("k") { Thread.current.kill }
    worker.run
    assert_equal "k:ThreadKilled", client.job("j").failure[:group]
  end

  def test_traps_run_while_a_thread_waits
    output = program(<<~RUBY)
      trap("USR1") { puts "trapped" }
      worker = Manyhands::Worker.new(CLIENT, queues: ["q"])
      puts "waiting"
      worker.next.complete
      worker.close
      puts "closed"
    RUBY
    assert_equal "waiting\n", output.gets
    5.times do
      Process.kill("USR1", output.pid)
      assert_equal "trapped\n", output.gets
    end
    queue.put("k")
    assert_equal "closed\n", output.read
  end

  # INT and TERM are held back by this handler: it ends by itself, in time.
  # The second job is put when the worker has heard of its end.
  %w[TERM INT QUIT].each do |signal|
    define_method("test_#{signal}_ends_a_run_when_its_handlers_have_ended") do
      queue.put("k", jid: "j")
      output = program(<<~RUBY)
        worker = Manyhands::Worker.new(CLIENT, queues: ["q"], kill_timeout: #{PATIENCE})
        worker.perform("k") do
          Thread.handle_interrupt(Manyhands::JobInterrupted => :never) { puts "started"; $stdin.read }
          "finished"
        rescue Manyhands::JobInterrupted
          "finished"
        end
        previous = trap("#{signal}") { nil }
        trap("#{signal}", previous)
        worker.run
        puts trap("#{signal}", "DEFAULT") == previous ? "restored" : "changed"
      RUBY
      assert_equal "started\n", output.gets
      Process.kill(signal, output.pid)
      eventually { client.workers.any? { |worker| worker[:status][:quiet] } }
      queue.put("k", jid: "second")
      output.close_write
      assert_equal "restored\n", output.read
      output.close
      assert_predicate $CHILD_STATUS, :success?
      assert_equal "finished", client.job("j").result
    end
  end

  [%w[TERM], %w[QUIT INT]].each do |signals|
    define_method("test_#{signals.join('_then_')}_leaves_a_hanging_handler_little_time_and_gives_its_job_back") do
      queue.put("k", jid: "j")
      output = program(<<~RUBY)
        worker = Manyhands::Worker.new(CLIENT, queues: ["q"])
        worker.perform("k") { puts "started"; Thread::Queue.new.pop }
        worker.run
        puts "ended"
      RUBY
      assert_equal "started\n", output.gets
      began = now
      signals.each { |signal| Process.kill(signal, output.pid) }
      assert_equal "ended\n", output.read
      assert_in_delta 2, now - began, 10, "not the 25 s of shutdown_timeout"
      assert_equal ["waiting", 5], [client.job("j").state, client.job("j").remaining]
    end
  end

  def test_a_handler_that_outlasts_its_kill_keeps_its_job_until_it_ends
    queue.put("k", jid: "j")
    started = Thread::Queue.new
    leave = Thread::Queue.new
    worker = new_worker(shutdown_timeout: 0).perform("k") do
      started << Thread.current
      Thread::Queue.new.pop
    ensure
      leave.pop
    end
    handler = nil
    running(worker) { handler = take(started) }
    assert_state "running", "j"
    leave << 1
    handler.join
    assert_equal ["waiting", 5], [client.job("j").state, client.job("j").remaining]
    assert_empty log.string
  end

  def test_a_second_signal_ends_the_program_at_once_and_the_job_is_not_lost
    client.config.set("heartbeat", 1)
    client.config.set("grace-period", 0)
    queue.put("k", jid: "j")
    output = program(<<~RUBY)
      worker = Manyhands::Worker.new(CLIENT, queues: ["q"])
      worker.perform("k") { Thread.handle_interrupt(Object => :never) { puts "started"; $stdin.read } }
      worker.run
    RUBY
    assert_equal "started\n", output.gets
    Process.kill("TERM", output.pid)
    Process.kill("TERM", output.pid) until output.wait_readable(0.05)
    assert_nil output.gets
    output.close
    assert_equal Signal.list["TERM"], $CHILD_STATUS.termsig
    worker = new_worker
    assert_equal "j", worker.next(timeout: PATIENCE)&.jid
  end
end
