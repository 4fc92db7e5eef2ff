# frozen_string_literal: true

require_relative "work_case"

# What becomes of jobs and processes when processes die, and of what the master has before it forks.
class WorkProcessesTest < WorkCase
  # Nobody but the master can tell of it: the lease lasts for minutes. One of three may take longer on a busy machine.
  def test_a_killed_process_costs_its_job_a_retry_and_another_has_it_within_a_second
    lease(600)
    queue.put("hold")
    work("--worker-count", "4")
    one = held
    waits = [4, 3, 2].map do |left|
      died = killed(one.pid)
      again = held
      refute_equal one.pid, again.pid
      assert_equal [one.jid, ["running", left]], [again.jid, remaining(again.jid)]
      one = again
      client.job(one.jid).history.last.then { |entry| entry[:at] - died if entry[:what] == "reserved" }
    end
    assert_operator waits.min, :<, 1, waits.to_s
    one.finish
    eventually { client.job(one.jid).state == "completed" }
  end

  # Kills a process. When it was dead.
  def killed(pid)
    Process.kill("KILL", pid)
    eventually { gone?(pid) }
    Time.now
  end

  def test_processes_of_a_killed_master_finish_their_jobs_and_end
    queue.put("hold")
    program = work
    one = held
    Process.kill("KILL", program.pid)
    eventually { title(one.pid).include?("stopping") }
    queue.put("pid", jid: "next")
    one.finish
    eventually { gone?(one.pid) }
    assert_equal %w[completed waiting], [client.job(one.jid).state, client.job("next").state]
  end

  def test_when_master_and_process_are_killed_the_lease_ends_and_others_go_on
    lease(0.5)
    queue.put("hold")
    program = work
    one = held
    Process.kill("KILL", program.pid, one.pid)
    work
    again = held
    assert_equal [one.jid, ["running", 4]], [again.jid, remaining(again.jid)]
    again.finish
    eventually { client.job(one.jid).state == "completed" }
  end

  def test_a_process_that_slept_longer_than_its_lease_completes_nothing
    lease(0.5)
    queue.put("deaf")
    work("--worker-count", "2")
    sleeper = held
    Process.kill("STOP", sleeper.pid)
    other = held
    assert_equal sleeper.jid, other.jid
    other.finish
    assert_equal "completed", other.ended
    sleeper.finish
    Process.kill("CONT", sleeper.pid)
    assert_match(/\Arefused: \w+\z/, sleeper.ended)
    completions = client.job(other.jid).history.count { |entry| entry[:what] == "completed" }
    assert_equal ["completed", 4, 1], [*remaining(other.jid), completions]
    # It serves again.
    2.times { queue.put("hold") }
    serving = [held, held]
    assert_equal [other.pid, sleeper.pid].sort, serving.map(&:pid).sort
    serving.each(&:finish)
  end

  # A2
  def test_a_job_that_always_crashes_its_process_fails_and_its_neighbours_survive
    queue.put("hold", jid: "neighbour")
    program = work("--thread-count", "2")
    held
    queue.put("crash", jid: "crash", retries: 1)
    eventually { client.job("crash").state == "failed" }
    assert_equal "failed-retries-q", client.job("crash").failure[:group]
    last = held
    last = held while gone?(last.pid)
    last.finish
    eventually { client.job("neighbour").state == "completed" }
    Process.kill("QUIT", program.pid)
    assert_predicate status(program), :success?
    assert_match(/died of signal 9; another comes up/, @said)
  end

  # No lease ends meanwhile.
  def test_a_handler_that_goes_on_after_its_timeout_loses_its_job_and_its_process
    lease(600)
    queue.put("late", jid: "late", retries: 1)
    program = work("--shutdown-timeout", "0.1", "--kill-timeout", "0.5")
    pids = Array.new(2) do
      late = held
      assert_equal ["late", nil], [late.jid, late.ended]
      eventually { gone?(late.pid) }
      late.pid
    end
    eventually { client.job("late").state == "failed" }
    runs = client.job("late").history.count { |entry| entry[:what] == "reserved" }
    assert_equal [["failed", 0], 2], [remaining("late"), runs]
    queue.put("hold")
    last = held
    assert_equal 3, [*pids, last.pid].uniq.size
    last.finish
    eventually { client.job(last.jid).state == "completed" }
    Process.kill("QUIT", program.pid)
    assert_predicate status(program), :success?, @said
    pids.each { |pid| assert_match(/\(pid #{pid}\) has a handler that does not end; it is replaced$/, @said) }
  end

  # Jobs are put, performed and ended while the server goes away without a word, and comes back.
  def test_redis_restarts_under_load_and_each_job_ends_once
    server = RedisServer.start
    served = Manyhands::Client.new(server.url)
    puts = Thread.new do
      Array.new(60) { |n| served.queue("q").put_many(Array.new(10) { |m| { kind: "pid", jid: "#{n}-#{m}" } }) }
    end
    program = work("--worker-count", "2", "--thread-count", "4", MANYHANDS_URL: server.url, NAMESPACE: "")
    [100, 300].each do |done|
      eventually { completed(served) >= done }
      server.kill
      server.start
    end
    puts.join
    eventually { completed(served) == 600 }
    Process.kill("QUIT", program.pid)
    assert_predicate status(program), :success?, @said
    jobs = [0, 250, 500].flat_map { |offset| served.completed(offset:, limit: 250).jobs }
    assert_equal 600, jobs.map(&:jid).uniq.size
    assert_equal [1], jobs.map { |job| job.history.count { |entry| entry[:what] == "completed" } }.uniq
    assert_empty served.check
  ensure
    served&.close
    server&.stop
  end

  def completed(client) = client.completed(limit: 1).total

  # Kilobytes that a process shares with no other.
  def own_memory(pid) = File.read("/proc/#{pid}/smaps_rollup").scan(/^Private_\w+: +(\d+)/).flatten.sum(&:to_i)

  # A1: what was loaded before the fork, a client that was used then, a hook on each side, and what the master is when
  # it forks.
  def test_a_master_loads_once_and_forks_with_one_thread_and_a_used_client
    text = <<~RUBY
      require "manyhands"
      $stdout.puts "loaded \#{Process.pid}"
      LARGE = Array.new(100) { |n| n.to_s * 1_000_000 }
      Manyhands.worker do
        client = Manyhands::Client.new(nil, namespace: ENV.fetch("NAMESPACE"))
        client.queue("q").put("pid", jid: "put-before")
        worker = Manyhands::Worker.new(client, queues: ["q"])
        worker.on(:before_fork) { |one| $stdout.puts "before \#{Process.pid} \#{Dir["/proc/self/task/*"].size} \#{one == worker}" }
        worker.on(:after_fork) { |one| $stdout.puts "after \#{Process.pid} \#{ENV["NOTIFY_SOCKET"].inspect}" }
        worker.perform("pid") { Process.pid }
      end
    RUBY
    program = work("--worker-count", "2", text:, NOTIFY_SOCKET: "@nobody-#{Process.pid}")
    eventually { client.job("put-before")&.state == "completed" }
    eventually { title(program.pid) == "manyhands master [q] 2 of 2 processes serve" }
    master = program.pid
    pids = children(program)
    pids.each { |pid| assert_operator own_memory(pid), :<, 50_000, "kB: of what was loaded before, it has no copy" }
    Process.kill("TERM", master)
    assert_predicate status(program), :success?
    lines = @said.lines(chomp: true)
    assert_equal ["loaded #{master}"], lines.grep(/\Aloaded/)
    assert_equal ["before #{master} 1 true"] * 2, lines.grep(/\Abefore/)
    assert_equal pids.map { |pid| "after #{pid} nil" }.sort, lines.grep(/\Aafter/).sort
    assert_includes pids, client.job("put-before").result
  end
end
