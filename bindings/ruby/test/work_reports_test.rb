# frozen_string_literal: true

require_relative "work_case"

# What `manyhands-ruby work` tells those who look on: of its jobs, of its processes, and whether it is up.
class WorkReportsTest < WorkCase
  # A4
  def test_jobs_are_counted_by_kind_under_the_prefix
    sink = UDPSocket.new.tap { |socket| socket.bind("127.0.0.1", 0) }
    queue.put("pid")
    work(STATSD_HOST: "127.0.0.1", STATSD_PORT: sink.addr[1].to_s, STATSD_KEY: "jobs")
    said = +""
    eventually do
      said << (sink.wait_readable(PATIENCE) ? sink.recv(1500) : "") << "\n"
      [/^jobs\.pid\.count:1\|c$/, /^jobs\.pid\.time:[\d.]+\|ms$/].all? { |line| said.match?(line) }
    end
  ensure
    sink.close
  end

  # A7
  def test_the_service_manager_learns_when_it_is_up_and_when_it_ends
    manager = Socket.new(:UNIX, :DGRAM)
    manager.bind(Addrinfo.unix(File.join(@dir, "notify")))
    program = work("--worker-count", "2", NOTIFY_SOCKET: File.join(@dir, "notify"), WATCHDOG_USEC: "20000")
    heard = lambda do |what|
      eventually { manager.wait_readable(PATIENCE) && manager.recv(500).match?(/^#{what}/) }
    end
    ["READY=1", "STATUS=2 of 2 processes serve", "WATCHDOG=1", "WATCHDOG=1"].each(&heard)
    Process.kill("QUIT", program.pid)
    heard.call("STOPPING=1")
    assert_predicate status(program), :success?
  ensure
    manager.close
  end

  # Not only when the process ends, or never when it is killed.
  def test_what_a_handler_prints_is_seen_at_once
    queue.put("hold")
    program = work(text: APPLICATION.sub('"hold") do |job|', '"hold") do |job| puts "printed"'))
    held
    assert program.wait_readable(0), "nothing is seen"
    assert_equal "printed\n", program.gets
  end

  # The workers that say something of themselves, by pid.
  def seen = client.workers(limit: 100).select { |one| one[:status] }.to_h { |one| [one[:status][:pid], one] }

  # A1 A8
  def test_master_process_thread_and_status_are_different_things
    queue.put("hold")
    program = work("--worker-count", "2", "--thread-count", "3")
    one = held
    eventually { title(one.pid) == "manyhands worker [q] 1/3 hold #{one.jid}" }
    eventually { title(program.pid) == "manyhands master [q] 2 of 2 processes serve" }
    eventually { seen.size == 2 && seen.dig(one.pid, :status, :jobs).any? }
    found = seen
    assert_equal children(program).sort, found.keys.sort
    status = found[one.pid][:status]
    assert_equal ["ruby", Manyhands::VERSION, Socket.gethostname, 3, ["q"], 1, false, false],
                 status.values_at(:language, :version, :host, :threads, :queues, :running, :quiet, :paused)
    assert_includes status[:kinds], "hold"
    assert_equal([[one.jid, "hold", "q"]], status[:jobs].map { |job| job.values_at(:jid, :kind, :queue) })
    assert_operator status[:memory], :>, 1_000_000
    one.finish
  end

  def test_an_operator_orders_one_process_about
    program = work("--worker-count", "2")
    pid = eventually { seen.keys.then { |pids| pids.first if pids.size == 2 } }
    name = seen[pid][:name]
    says = ->(what, is) { eventually { seen.dig(pid, :status, what) == is } }
    assert_equal 1, client.order(name, :pause)
    says.call(:paused, true)
    assert_equal 1, client.order(name, "resume")
    says.call(:paused, false)
    assert_equal 1, client.order(name, "quiet")
    says.call(:quiet, true)
    assert_equal([false], seen.except(pid).values.map { |other| other[:status][:quiet] })
    assert_equal 1, client.order(name, "stop")
    eventually { gone?(pid) }
    eventually { seen.size == 2 && !seen.key?(pid) && title(program.pid).include?("2 of 2 processes serve") }
  end
end
