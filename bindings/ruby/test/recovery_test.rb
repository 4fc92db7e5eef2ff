# frozen_string_literal: true

require_relative "case"

class RecoveryTest < Case
  WORKER = <<~RUBY
    worker = Manyhands::Worker.new(CLIENT, queues: ["q"])
    worker.perform("k") { |job| puts job.jid; $stdin.read }
    worker.run
  RUBY

  def test_the_job_of_a_killed_process_is_performed_by_another
    client.config.set("heartbeat", 1)
    client.config.set("grace-period", 0)
    queue.put("k", 5, jid: "j")
    output = program(WORKER)
    assert_equal "j\n", output.gets
    Process.kill("KILL", output.pid)
    output.close

    done = Thread::Queue.new
    worker = new_worker.perform("k") { |job| (done << [job.jid, job.data, job.remaining]) && nil }
    running(worker) { assert_equal ["j", 5, 4], take(done) }
    assert_equal(%w[put reserved lost reserved completed], client.job("j").history.map { |entry| entry[:what] })
  end

  def test_a_lease_is_renewed_while_its_handler_runs
    client.config.set("heartbeat", 1)
    client.config.set("grace-period", 0)
    queue.put("k", jid: "j")
    leases = Thread::Queue.new
    worker = new_worker.perform("k") do |job|
      first = client.job(job.jid).lease_until
      leases << eventually { client.job(job.jid).lease_until > first + 1 && :renewed }
      nil
    end
    running(worker) { assert_equal :renewed, take(leases) }
    assert_state "completed", "j"
  end

  # A handler that waits in native code with the GVL, and tells how often another thread ran meanwhile.
  HOLDING = <<~RUBY
    require "fiddle"
    types = [Fiddle::TYPE_INT, Fiddle::TYPE_VOIDP, Fiddle::TYPE_SIZE_T]
    read = Fiddle::Function.new(Fiddle.dlopen(nil)["read"], types, Fiddle::TYPE_INT, need_gvl: true)
    turns = 0
    Thread.new { loop { sleep(0.001) && turns += 1 } }
    worker = Manyhands::Worker.new(CLIENT, queues: ["q"], max_jobs: 1)
    worker.perform("k") do
      puts "started"
      before = turns
      read.call(0, " ", 1)
      turns - before
    end
    worker.run
  RUBY

  # Several times as long as lease and grace together.
  def test_a_lease_is_kept_while_a_handler_never_gives_the_gvl_back
    client.config.set("heartbeat", 1)
    client.config.set("grace-period", 0.2)
    queue.put("k", jid: "j")
    output = program(HOLDING)
    assert_equal "started\n", output.gets
    first = client.job("j").lease_until
    others = Thread::Queue.new
    running(new_worker.perform("k") { |job| (others << job.jid) && nil }) do
      eventually { client.job("j").lease_until > first + 4 }
      output.print("\n")
      eventually { client.job("j").state == "completed" }
    end
    output.close
    assert_empty others
    assert_equal(%w[put reserved completed], client.job("j").history.map { |entry| entry[:what] })
    assert_operator client.job("j").result, :<, 10
  end

  def test_a_worker_outlives_its_server
    server = RedisServer.start
    lasting = Manyhands::Client.new(server.url)
    done = Thread::Queue.new
    worker = Manyhands::Worker.new(lasting, queues: ["q"]).perform("k") { |job| (done << job.data) && nil }
    running(worker) do
      lasting.queue("q").put("k", 1)
      assert_equal 1, take(done)
      capture_subprocess_io do
        server.kill
        server.start
        lasting.queue("q").put("k", 2)
        assert_equal 2, take(done)
      end
    end
  ensure
    server.stop
  end
end
