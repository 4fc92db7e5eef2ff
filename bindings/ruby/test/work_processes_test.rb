# frozen_string_literal: true

require_relative "work_case"

# What becomes of jobs and processes when processes die, or are replaced.
class WorkProcessesTest < WorkCase
  def test_a_killed_process_costs_its_job_a_retry_and_no_time
    queue.put("hold")
    work
    one = held
    Process.kill("KILL", one.pid)
    again = held
    refute_equal one.pid, again.pid
    assert_equal [one.jid, ["running", 4]], [again.jid, remaining(again.jid)]
    again.finish
    eventually { client.job(one.jid).state == "completed" }
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

  # Shortens leases: whoever is silent for so long has lost its jobs.
  def lease(seconds)
    client.config.set("heartbeat", seconds, queue: "q")
    client.config.set("grace-period", 0, queue: "q")
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
    queue.put("hold")
    work("--worker-count", "2")
    sleeper = held
    Process.kill("STOP", sleeper.pid)
    other = held
    assert_equal sleeper.jid, other.jid
    other.finish
    eventually { client.job(other.jid).state == "completed" }
    sleeper.finish
    Process.kill("CONT", sleeper.pid)
    # It serves again, and what it did before is refused.
    5.times { queue.put("hold") }
    eventually { held.tap(&:finish).pid == sleeper.pid }
    completions = client.job(other.jid).history.count { |entry| entry[:what] == "completed" }
    assert_equal ["completed", 4, 1], [*remaining(other.jid), completions]
  end

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

  def test_processes_are_replaced_after_so_many_jobs
    queue.put_many(Array.new(1000) { |n| { kind: "pid", jid: "j#{n}" } })
    work("--thread-count", "2", JOBS_PER_FORK: "100")
    eventually { unfinished.zero? }
    jobs = Array.new(1000) { |n| "j#{n}" }.each_slice(250).flat_map { |jids| client.jobs(jids) }
    by_process = jobs.map(&:result).tally
    assert_equal 10, by_process.size
    assert_equal [100], by_process.values.uniq
  end

  def test_a_successor_takes_jobs_while_its_predecessor_performs_its_last
    queue.put("hold")
    work("--jobs-per-fork", "1")
    last = held
    queue.put("pid", jid: "next")
    eventually { client.job("next").state == "completed" }
    refute_equal last.pid, client.job("next").result
    last.finish
    eventually { client.job(last.jid).state == "completed" }
  end

  def test_memory_that_handlers_leak_goes_back_with_their_process
    queue.put_many(Array.new(200) { |n| { kind: "leak", jid: "j#{n}", data: 2_000_000 } })
    work("--jobs-per-fork", "20")
    eventually { unfinished.zero? }
    memory = client.jobs(Array.new(200) { |n| "j#{n}" }).map(&:result)
    assert_operator memory.max, :<, memory.min + 60_000_000
  end

  def test_a_process_with_too_much_memory_is_replaced
    queue.put("leak", 200_000_000, jid: "leak")
    work("--max-memory-mb", "150")
    eventually { client.job("leak").state == "completed" }
    first = eventually { workers.first }.fetch(:pid)
    eventually do
      jid = queue.put("pid").jid
      eventually { client.job(jid).result } != first
    end
  end

  # A client that was used before the fork, a hook on each side, and what the master is when it forks.
  def test_a_master_forks_with_one_thread_and_a_used_client
    text = <<~RUBY
      require "manyhands"
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
    Process.kill("TERM", master)
    assert_predicate status(program), :success?
    lines = @said.lines(chomp: true)
    assert_equal ["before #{master} 1 true"] * 2, lines.grep(/\Abefore/)
    assert_equal pids.map { |pid| "after #{pid} nil" }.sort, lines.grep(/\Aafter/).sort
    assert_includes pids, client.job("put-before").result
  end
end
