# frozen_string_literal: true

require "objspace"

require_relative "case"

class HandlesTest < Case
  def stressed
    GC.stress = true
    yield
  ensure
    GC.stress = false
  end

  def test_handles_survive_a_collector_that_always_runs
    stressed do
      queue.put("k", { "a" => [1, 2] }, tags: %w[a b])
      job = queue.reserve.fetch(0)
      assert_equal [{ "a" => [1, 2] }, %w[a b]], [job.data, job.tags]
      assert_equal "completed", job.complete({ "b" => 1 })
      assert_equal({ "b" => 1 }, client.job(job.jid).result)
      assert_raises(Manyhands::InvalidArgument) { queue.put("k", nil, priority: 1000) }
    end
  end

  def test_a_worker_survives_it_too
    3.times { |n| queue.put("k", n, jid: "j#{n}") }
    worker = new_worker(threads: 2).perform("k") { |job| stressed { job.data.to_s } }
    running(worker) { eventually { unfinished.zero? } }
    assert_equal %w[0 1 2], Array.new(3) { |n| client.job("j#{n}").result }
  end

  def test_jobs_share_what_they_have_in_common
    kinds = %w[a a b a]
    kinds.each { |kind| queue.put(kind) }
    worker = new_worker
    jobs = kinds.map { stressed { worker.next } }
    assert_equal [kinds, [queue.name], [worker.name]], [jobs.map(&:kind), *%i[queue worker].map { jobs.map(&_1).uniq }]
    assert_same jobs[0].kind, jobs[1].kind
    %i[kind queue token worker].each { |one| assert_predicate jobs[0].public_send(one), :frozen?, one }
    assert_equal ["completed"], jobs.map(&:complete).uniq
  end

  def test_compaction_moves_nothing_of_ours
    skip "this Ruby does not compact" unless GC.respond_to?(:compact)
    queue.put("k", "x")
    GC.compact
    assert_equal "x", queue.reserve.fetch(0).data
  end

  def test_handles_are_collected
    made = lambda do
      100.times { Manyhands::Worker.new(Manyhands::Client.new(SERVER.url), queues: ["q"]) }
      GC.start
      ObjectSpace.each_object(Manyhands::Native::Worker).count
    end
    assert_operator made.call, :<, 100
  end

  def test_workers_that_nobody_closed_hold_nothing_up
    began = now
    5.times do
      worker = Manyhands::Worker.new(client, queues: ["q"])
      worker.next(timeout: 0)
    end
    GC.start
    assert_operator now - began, :<, 2
  end

  def test_the_collector_does_not_wait_for_a_private_server_to_end
    Dir.mktmpdir do |dir|
      ended = bare_program(<<~RUBY)
        require "socket"
        dir = #{dir.inspect}
        GC.disable # until the gate is held: a client that is collected leaves
        Thread.new { Manyhands::Client.new("embedded:\#{dir}").queue("q").length }.join
        server = UNIXSocket.new(File.read("\#{dir}/socket"))
        gate = File.open("\#{dir}/gate.lock", "a") # who leaves the server needs it
        gate.flock(File::LOCK_EX)
        GC.enable
        GC.start until ObjectSpace.each_object(Manyhands::Native::Client).none?
        puts "collected"
        gate.flock(File::LOCK_UN)
        # The end is seen by the connection: whoever holds one of its locks keeps the server.
        server.read
        puts "ended"
      RUBY
      told = Array.new(2) { ended.wait_readable(PATIENCE) && ended.gets }
      Process.kill("KILL", ended.pid) unless told.all?
      assert_equal %W[collected\n ended\n], told
      assert_predicate Process.wait2(ended.pid).last, :success?
    end
  end

  def test_subscriptions_are_collected
    made = lambda do
      20.times { client.events("track") }
      GC.start
      ObjectSpace.each_object(Manyhands::Native::Events).count
    end
    assert_operator made.call, :<, 20
  end

  # Not where calls are compared with sig/: that draws what an Enumerator would give.
  def test_a_subscription_gives_an_enumerator
    heard = client.events("track")
    queue.put("k", jid: "j")
    client.track(["j"])
    assert_equal "j", heard.each.next.jid
    heard.close
  end

  def test_jobs_whose_end_is_accepted_are_not_kept_for_on_lock_lost
    50.times { |n| queue.put("k", jid: "answered-#{n}") }
    worker = new_worker(threads: 2).on_lock_lost { nil }.perform("k") { nil }
    running(worker) do
      eventually { unfinished.zero? }
      eventually do
        GC.start
        ObjectSpace.each_object(Manyhands::Job).count { |job| job.jid.start_with?("answered-") } < 20
      end
    end
  end

  JOBS = 500
  # What a job without work makes: the list of its fields and their texts, the Job, its run.
  OBJECTS = 16

  def test_a_job_makes_few_objects
    queue.put_many(Array.new(JOBS) { { kind: "k", data: { a: [1] } } })
    worker = new_worker(max_jobs: JOBS).perform("k") { nil }
    before = GC.stat(:total_allocated_objects)
    worker.run
    assert_operator (GC.stat(:total_allocated_objects) - before) / JOBS, :<=, OBJECTS
  end

  def test_a_job_that_its_owner_forgot_runs_again
    queue.put("k", jid: "j")
    worker = new_worker
    Thread.new { worker.next && nil }.join
    eventually do
      GC.start
      client.job("j").state == "scheduled"
    end
    assert_equal 4, client.job("j").remaining
    assert_equal "JobForgotten", client.job("j").history.last[:group]&.split(":")&.last
  end
end
