# frozen_string_literal: true

require_relative "case"

# Signals to the process of a single worker, and what becomes of its jobs: A5.
class SignalsTest < Case
  # A worker that tells what happens to its jobs; `k` runs until it is interrupted, `quick` does nothing.
  WORKER = <<~RUBY
    worker = Manyhands::Worker.new(CLIENT, queues: ["q"], threads: 2, logger: Logger.new($stdout))
    worker.perform("quick") { |job| puts "quick \#{job.jid}" }
    worker.perform("k") do |job|
      puts "started \#{job.jid}"
      Thread::Queue.new.pop
    rescue Manyhands::JobInterrupted => e
      puts "interrupted \#{e.reason}"
      raise
    end
  RUBY

  # Reads what a program says up to a line that matches.
  def heard(output, line)
    lines = []
    lines << output.gets until lines.last&.match?(line) || output.eof?
    assert_match line, lines.last.to_s, "after #{lines}"
    lines.last
  end

  def working(text = "worker.run\nputs 'ended'\n")
    queue.put("k", jid: "j")
    output = program(WORKER + text)
    heard(output, /started j/)
    yield output
    output.close
    $CHILD_STATUS
  end

  %w[TERM INT].each do |signal|
    define_method("test_#{signal}_interrupts_handlers_and_gives_their_jobs_back") do
      status = working do |output|
        Process.kill(signal, output.pid)
        heard(output, /interrupted killed/)
        heard(output, /^ended/)
      end
      assert_predicate status, :success?
      assert_equal ["waiting", 5], [client.job("j").state, client.job("j").remaining]
    end
  end

  def test_usr1_interrupts_handlers_and_the_worker_goes_on
    working do |output|
      Process.kill("USR1", output.pid)
      heard(output, /interrupted killed/)
      heard(output, /started j/)
      queue.put("quick", jid: "next")
      heard(output, /quick next/)
      Process.kill("TERM", output.pid)
      heard(output, /^ended/)
    end
    assert_equal ["waiting", 5], [client.job("j").state, client.job("j").remaining]
  end

  def test_usr2_takes_no_new_jobs_until_cont
    working do |output|
      Process.kill("USR2", output.pid)
      eventually { title(output).include?("manyhands worker paused [q] 1/2 k j") }
      queue.put("quick", jid: "next")
      assert_state "waiting", "next"
      Process.kill("CONT", output.pid)
      heard(output, /quick next/)
      Process.kill("INT", output.pid)
      heard(output, /^ended/)
    end
  end

  def test_quit_waits_for_running_handlers_and_takes_no_others
    working do |output|
      Process.kill("QUIT", output.pid)
      eventually { title(output).include?("manyhands worker stopping [q] 1/2 k j") }
      queue.put("quick", jid: "next")
      Process.kill("TERM", output.pid)
      heard(output, /^ended/)
    end
    assert_state "waiting", "next"
  end

  def test_ttin_writes_every_thread_s_job_and_backtrace_to_the_log
    working do |output|
      Process.kill("TTIN", output.pid)
      heard(output, /thread manyhands-\d performs k j for \d+\.\d s:/)
      heard(output, /-e:\d+:in /)
      Process.kill("TERM", output.pid)
      heard(output, /^ended/)
    end
  end

  def test_the_title_shows_queues_and_jobs_while_it_runs
    working("worker.run\nputs 'ended'\n$stdin.read\n") do |output|
      eventually { title(output).include?("manyhands worker [q] 1/2 k j") }
      Process.kill("TERM", output.pid)
      heard(output, /^ended/)
      refute_includes title(output), "manyhands worker"
    end
  end

  def title(output) = File.read("/proc/#{output.pid}/cmdline").tr("\0", " ")

  # What a handler does that goes on after its timeout, and how the process then ends.
  STUBBORN = {
    "is_killed" => "loop { begin; sleep; rescue Exception; end }",
    "is_not_even_killed" => "Thread.handle_interrupt(Object => :never) { sleep }"
  }.freeze

  STUBBORN.each do |what, act|
    define_method("test_a_handler_that_goes_on_after_its_timeout_ends_the_process_when_it_#{what}") do
      queue.put("stubborn", jid: "s")
      queue.put("neighbour", jid: "n")
      output = program(<<~RUBY)
        options = { queues: ["q"], threads: 2, kill_timeout: 0.1, logger: Logger.new(File::NULL) }
        worker = Manyhands::Worker.new(CLIENT, **options)
        worker.perform("stubborn", timeout: 0.1) { #{act} }
        worker.perform("neighbour") { puts "started"; $stdin.read; "finished" }
        worker.on(:stop) { puts "stopped" }
        worker.run
      RUBY
      assert_equal "started\n", output.gets
      eventually { title(output).include?("stopping") }
      output.close_write
      assert_equal "stopped\n", output.gets
      output.close
      assert_equal 70, $CHILD_STATUS.exitstatus
      assert_equal "finished", client.job("n").result
      assert_equal([what == "is_killed" ? "scheduled" : "waiting", 4],
                   [client.job("s").state, client.job("s").remaining])
    end
  end

  # A program whose handler never gives the GVL back. It leaves handlers so many seconds.
  def deaf(seconds, timeout: nil)
    queue.put("deaf", jid: "d")
    output = program(<<~RUBY)
      require "fiddle"
      native = ->(name, *types) { Fiddle::Function.new(Fiddle.dlopen(nil)[name], types, Fiddle::TYPE_INT, need_gvl: true) }
      say = native.("write", Fiddle::TYPE_INT, Fiddle::TYPE_VOIDP, Fiddle::TYPE_SIZE_T)
      pause = native.("pause")
      times = { shutdown_timeout: #{seconds}, kill_timeout: #{seconds} }
      worker = Manyhands::Worker.new(CLIENT, queues: ["q"], logger: Logger.new(File::NULL), **times)
      worker.perform("deaf", timeout: #{timeout.inspect}) do
        Thread.handle_interrupt(Object => :never) { say.call(1, "started\\n", 8); pause.call }
      end
      worker.run
    RUBY
    assert_equal "started\n", output.gets
    output
  end

  # The process has ended, and its job can be had at once.
  def given_back(output)
    assert_nil output.gets
    output.close
    job = queue.reserve.first
    assert_equal "d", job.jid
    [$CHILD_STATUS.termsig || $CHILD_STATUS.exitstatus, job.remaining]
  end

  %w[TERM INT QUIT].each do |signal|
    define_method("test_#{signal}_ends_a_process_whose_handler_keeps_the_gvl") do
      output = deaf(0.05)
      Process.kill(signal, output.pid)
      assert_equal [Signal.list[signal], 5], given_back(output)
    end
  end

  def test_a_second_term_ends_it_at_once
    output = deaf(60)
    Process.kill("TERM", output.pid)
    # Before it is taken another is the same one.
    eventually { File.read("/proc/#{output.pid}/status").include?("ShdPnd:\t0000000000000000") }
    Process.kill("TERM", output.pid)
    assert_equal [Signal.list["TERM"], 5], given_back(output)
  end

  def test_a_timeout_ends_a_process_whose_handler_keeps_the_gvl
    assert_equal [70, 4], given_back(deaf(0.05, timeout: 0.05))
  end

  # Ruby waits for its thread, and so can its job.
  def test_a_handler_that_outlasts_a_stop_gives_its_job_back_when_it_ends
    queue.put("deaf", jid: "j")
    output = program(<<~RUBY)
      worker = Manyhands::Worker.new(CLIENT, queues: ["q"], kill_timeout: 0)
      worker.perform("deaf") { Thread.handle_interrupt(Object => :never) { puts "started"; $stdin.gets } }
      worker.on(:stop) { puts "stopped" }
      worker.run
    RUBY
    assert_equal "started\n", output.gets
    Process.kill("TERM", output.pid)
    assert_equal "stopped\n", output.gets
    assert_equal ["running", 5], [client.job("j").state, client.job("j").remaining]
    output.puts
    output.close
    assert_predicate $CHILD_STATUS, :success?
    assert_equal ["waiting", 5], [client.job("j").state, client.job("j").remaining]
  end

  def test_a_child_that_a_handler_forks_obeys_its_own_signals
    queue.put("fork", jid: "f")
    output = program(<<~RUBY)
      trap("USR1") { puts("own") || exit!(0) }
      worker = Manyhands::Worker.new(CLIENT, queues: ["q"])
      worker.perform("fork") do
        child = fork { Process.kill("USR1", Process.pid) && sleep(#{PATIENCE}) && exit!(1) }
        puts Process.wait2(child).last.exitstatus
        worker.stop
      end
      worker.run
    RUBY
    assert_equal %W[own\n 0\n], Array.new(2) { output.gets }
    output.close
  end
end
