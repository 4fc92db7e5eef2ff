# frozen_string_literal: true

require_relative "case"

class JobTest < Case
  def reserved(**options)
    queue.put("k", { "n" => 1 }, **options)
    queue.reserve.fetch(0)
  end

  def test_complete_keeps_the_result
    job = reserved
    assert_equal "completed", job.complete({ pages: 3 })
    seen = client.job(job.jid)
    assert_equal ["completed", { "pages" => 3 }, nil], [seen.state, seen.result, seen.token]
    assert_equal(%w[put reserved completed], seen.history.map { |entry| entry[:what] })
    assert_kind_of Time, seen.history.first[:at]
    assert_kind_of Float, seen.history.last[:run]
  end

  def test_complete_goes_on_along_the_route
    job = reserved(route: %w[second])
    job.data = { "n" => 2 }
    assert_equal "waiting", job.complete
    job = client.queue("second").reserve.fetch(0)
    assert_equal [{ "n" => 2 }, []], [job.data, job.route]
    assert_equal "scheduled", job.complete(1, queue: "third", data: nil, delay: 60)
    seen = client.job(job.jid)
    assert_equal ["scheduled", "third", nil, 1], [seen.state, seen.queue, seen.data, seen.result]
    assert_in_delta Time.now + 60, seen.due_at, PATIENCE
  end

  def test_new_data_is_what_it_was_when_it_was_assigned
    job = reserved(route: %w[second])
    data = { "n" => 2 }
    job.data = data
    data["n"] = 3
    job.data["n"] = 4
    job.complete
    assert_equal '{"n":2}', client.job(job.jid).raw_data
  end

  def test_fail_is_kept_in_its_group
    job = reserved
    assert_equal "failed", job.fail("bad-input", "no header", "line 1")
    failure = client.job(job.jid).failure
    assert_equal ["bad-input", "no header", "line 1"], failure.values_at(:group, :message, :trace)
    assert_kind_of Time, failure[:at]
  end

  def test_retry_spends_one_and_snooze_and_release_do_not
    job = reserved(retries: 2)
    assert_equal "waiting", job.retry
    job = queue.reserve.fetch(0)
    assert_equal 1, job.remaining
    assert_equal "waiting", job.snooze(0)
    job = queue.reserve.fetch(0)
    assert_equal 1, job.remaining
    assert_equal "waiting", job.release
    job = queue.reserve.fetch(0)
    assert_equal 1, job.remaining
    assert_equal "scheduled", job.retry(30)
  end

  def test_heartbeat_says_how_long_the_lease_lasts
    client.config.set("heartbeat", 7)
    job = reserved
    assert_in_delta 7, job.heartbeat
    assert_operator job.lease_until, :>, Time.now
  end

  def test_a_stale_token_is_refused
    stale = reserved
    queue.put("k", 2, jid: stale.jid, on_conflict: "move")
    assert_equal "replaced", assert_raises(Manyhands::LockLost) { stale.heartbeat }.reason
    fresh = queue.reserve.fetch(0)
    error = assert_raises(Manyhands::LockLost) { stale.complete }
    assert_equal [201, "LOCK_LOST", "job_complete", stale.jid],
                 [error.code, error.code_name, error.operation, error.jid]
    assert_equal "completed", fresh.complete
  end

  def test_a_job_ends_once
    job = reserved
    job.complete
    error = assert_raises(Manyhands::WrongState) { job.fail("too-late") }
    assert_equal job.jid, error.jid
    assert_raises(Manyhands::WrongState) { job.heartbeat }
  end

  def test_a_job_that_nobody_holds_cannot_be_ended
    queue.put("k", jid: "j")
    assert_raises(Manyhands::WrongState) { client.job("j").complete }
  end

  def test_what_is_refused_leaves_the_job_in_hand
    job = reserved
    assert_refused(Manyhands::InvalidArgument, "result") { job.complete(Object.new) }
    assert_refused(Manyhands::InvalidArgument, "group") { job.fail("") }
    assert_refused(Manyhands::InvalidArgument, "delay") { job.retry(-1) }
    assert_equal "completed", job.complete
  end

  def test_data_is_as_deep_as_it_may_be
    [1, 100, 101, 128].each do |depth|
      data = (1...depth).inject([]) { |inner, _| [inner] }
      queue.put("k", data)
      assert_equal data, queue.reserve.fetch(0).data
    end
  end

  def test_data_is_parsed_when_asked_for
    job = reserved
    assert_same job.data, job.data
    assert_equal '{"n":1}', job.raw_data
    assert_includes job.inspect, job.jid
  end

  def frozen_texts(job) = %i[kind queue token worker].select { |name| job.public_send(name).frozen? }

  # A handler that would change one in place is found out by a test with a built job.
  def test_the_same_texts_are_frozen_wherever_a_job_comes_from
    job = reserved
    kind = +"k"
    ways = { reserved: job, looked_up: client.job(job.jid), listed: client.jobs([job.jid]).first,
             built: Manyhands::Job.build(kind, queue: +"q"), of_worker: nil }
    job.complete
    queue.put("k")
    ways[:of_worker] = new_worker.next(timeout: PATIENCE)
    ways.each { |way, one| assert_equal %i[kind queue token worker], frozen_texts(one), way }
    refute_predicate kind, :frozen?, "it is the caller's"
    assert_raises(FrozenError) { ways[:built].kind << "!" }
    ways[:looked_up].requeue(queue: +"other")
    assert_predicate ways[:looked_up].queue, :frozen?
    ways[:of_worker].complete
  end

  def test_no_such_job
    assert_nil client.job("nobody")
  end
end
