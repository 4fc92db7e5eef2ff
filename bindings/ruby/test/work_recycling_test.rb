# frozen_string_literal: true

require_relative "work_case"

# Processes are replaced after so many jobs, or for their memory: no job is lost, performed twice, or waits for it.
class WorkRecyclingTest < WorkCase
  JOBS = 10_000
  PER_FORK = 100
  LEAK = 50_000

  # Kilobytes that processes really have: a page that several share counts in part for each.
  def memory(*pids)
    pids.sum do |pid|
      File.read("/proc/#{pid}/smaps_rollup")[/^Pss: +(\d+)/, 1].to_i
    rescue SystemCallError
      0 # gone meanwhile
    end
  end

  # What happens to jobs, in its order.
  def hear(*what)
    client.config.set("events", "all")
    events = client.events(*what)
    yield events
    assert_equal 0, events.gaps
  ensure
    events&.close
  end

  # Waits until so many jobs are completed. Each reserve and completion is yielded.
  def until_completed(events, count)
    while count.positive?
      event = events.next(timeout: PATIENCE) or flunk "#{count} jobs are not completed"
      count -= 1 if event.event == "completed"
      yield event
    end
  end

  # A2 A3
  def test_a_leak_of_every_job_leaves_memory_as_it_was_and_each_is_performed_once
    jids = Array.new(JOBS) { |n| "j#{n}" }
    jids.each_slice(250) { |some| queue.put_many(some.map { |jid| { kind: "leak", jid:, data: LEAK } }) }
    owners = {}
    completed = []
    samples = []
    hear("reserved", "completed") do |events|
      program = work("--jobs-per-fork", PER_FORK.to_s)
      until_completed(events, JOBS) do |event|
        owners[event.jid] = event.worker if event.event == "reserved" # the last of them performed it
        next if event.event == "reserved"

        completed << event.jid
        samples << memory(program.pid, *children(program)) if (completed.size % 40).zero?
      end
      Process.kill("QUIT", program.pid)
      assert_predicate status(program), :success?
    end
    assert_memory_stays(samples)
    assert_equal jids.sort, completed.sort, "each once"
    remaining = jids.each_slice(250).flat_map { |some| client.jobs(some).map(&:remaining) }
    assert_equal({ 5 => JOBS }, remaining.tally, "and begun once")
    of_process = owners.values.tally
    assert_operator of_process.values.max, :<=, PER_FORK
    assert_operator of_process.size, :>=, JOBS / PER_FORK
  end

  def assert_memory_stays(samples)
    early, late = samples.each_slice((samples.size / 2.0).ceil).map(&:max)
    assert_operator late, :<, early + (2 * PER_FORK * LEAK / 1000), "more than two processes have leaked"
    assert_operator samples.max - samples.min, :<, JOBS * LEAK / 1000 / 2
  end

  # Jobs without work, each put when the one before has ended, while processes are replaced. Whenever one is put, a
  # process is there that may still begin one: it need not wait until another has come up.
  def test_no_job_waits_because_a_process_is_replaced
    jobs = 1500
    per_fork = 500
    begun = Hash.new(0)
    hear("reserved", "completed") do |events|
      program = work("--jobs-per-fork", per_fork.to_s)
      eventually { title(program.pid).end_with?("1 of 1 processes serve") }
      jobs.times do |n|
        there = client.workers.map { |worker| worker[:name] }
        assert(there.any? { |name| begun[name] < per_fork }, "job #{n} is put when nobody is there: #{begun}")
        queue.put("pid", jid: "j#{n}")
        until_completed(events, 1) { |event| begun[event.worker] += 1 if event.event == "reserved" }
      end
    end
    assert_operator begun.count { |_, count| count.positive? }, :>=, 3
    assert_equal jobs, begun.values.sum
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

  def test_a_process_with_too_much_memory_is_replaced
    queue.put("leak", 200_000_000, jid: "leak")
    work("--max-memory-mb", "150")
    eventually { client.job("leak").state == "completed" }
    eventually do
      jid = queue.put("pid").jid
      eventually { client.job(jid).result } != client.job("leak").result
    end
  end
end
