# frozen_string_literal: true

require_relative "case"
require "manyhands/testing"

# What the gem gives to the tests of its users.
class TestingTest < Case
  # Reaches no server: there is none.
  def unserved = @unserved ||= Manyhands::Client.new("unix:///nowhere/redis.sock", timeout: 0.001)

  module Welcome
    extend Manyhands::Performs
    performs "welcome", queue: "mail", priority: 3

    def self.perform(job) = job.data["to"]
  end

  def test_recorded_puts_reach_no_server
    recorded = Manyhands::Testing.recorded_puts(unserved) do
      Welcome.put(unserved, { to: "ann" }, delay: 1)
      placed = unserved.queue("mail").put_many([{ kind: "bye", jid: "j" }, { kind: :bye, data: [1] }])
      assert_equal %w[j put], [placed.first.jid, placed.first.outcome]
    end
    assert_equal %w[welcome bye bye], recorded.map(&:kind)
    put = recorded.assert_put("welcome", queue: "mail", data: { to: "ann" }, priority: 3, delay: 1)
    assert_equal({ "to" => "ann" }, put.data)
    assert_match(/\A\h{32}\z/, put.jid)
    recorded.assert_put(Welcome)
    recorded.assert_put(:bye, data: [1], queue: :mail)
    recorded.assert_put("bye", jid: "j", data: nil)
    recorded.refute_put("bye", queue: "other")
    assert_equal 2, recorded.matching("bye").size
    recorded.clear
    recorded.refute_put("bye")
    assert_raises(Manyhands::Error) { unserved.queue("mail").put("k") }
  end

  def test_a_failed_assertion_says_what_was_put
    recorded = Manyhands::Testing.recorded_puts(unserved)
    message = assert_raises(Minitest::Assertion) { recorded.assert_put("k", data: 1) }.message
    assert_equal 'no "k", data: 1 was put, but nothing', message
    unserved.queue("q").put("k", { n: 2 }, jid: "j")
    message = assert_raises(Minitest::Assertion) { recorded.assert_put("k", data: 1) }.message
    assert_includes message, '"n"=>2'
    message = assert_raises(Minitest::Assertion) { recorded.refute_put("k", jid: "j") }.message
    assert_includes message, '"k", jid: "j" was put: '
  ensure
    recorded.stop
  end

  # Else it could not fail.
  def test_an_assertion_about_what_no_put_has_is_refused
    recorded = Manyhands::Testing.recorded_puts(unserved) { unserved.queue("mail").put("k") }
    %i[matching assert_put refute_put].each do |asked|
      assert_refused(Manyhands::InvalidArgument, "queu is unknown") { recorded.public_send(asked, "k", queu: "mail") }
    end
  end

  def test_recorded_puts_are_refused_as_a_server_s_are
    queue = unserved.queue("q")
    Manyhands::Testing.recorded_puts(unserved) do |recorded|
      [[{ priority: 128 }, "priority 128 is outside"], [{ tags: "t" }, "tags "], [{ jid: "x" * 300 }, "jid has"],
       [{ headers: { "a" => 1 } }, "headers"], [{ missing: "never" }, "missing "]].each do |options, naming|
        error = assert_refused(Manyhands::InvalidArgument, ": #{naming}") { queue.put("k", **options) }
        assert_equal "queue_put", error.operation
        assert_refused(Manyhands::InvalidArgument, ": jobs[1].#{naming}") do
          queue.put_many([{ kind: "k" }, { kind: "k", **options }])
        end
      end
      assert_refused(Manyhands::InvalidArgument, "kind is empty") { queue.put("") }
      assert_refused(Manyhands::InvalidArgument, "queue is empty") { unserved.queue("").put("k") }
      assert_equal 0, recorded.count
    end
  end

  def test_recorded_puts_are_checked_and_seen_by_middleware
    tagging = Module.new do
      def around_put(puts)
        puts.each { |put| put[:tags] = ["t"] }
        super
      end
    end
    unserved.use(tagging)
    recorded = Manyhands::Testing.recorded_puts(unserved) do
      unserved.queue("q").put("k")
      assert_raises(Manyhands::InvalidArgument) { unserved.queue("q").put("k", Object.new) }
      assert_raises(Manyhands::InvalidArgument) { unserved.queue("q").put("k", unknown: 1) }
    end
    recorded.assert_put("k", tags: ["t"])
    assert_equal 1, recorded.count
  end

  def test_a_built_job_goes_through_middleware_without_a_server
    worker = Manyhands::Worker.new(unserved, queues: ["q"]).perform(Welcome).perform("bad") { raise KeyError, "no" }
    worker.use(Module.new { def around_perform(job) = "dear #{super}" })
    assert_equal "dear ann", Manyhands::Testing.perform(worker, Manyhands::Job.build("welcome", { to: "ann" }))
    assert_raises(KeyError) { Manyhands::Testing.perform(worker, Manyhands::Job.build("bad")) }
    assert_refused(Manyhands::InvalidArgument, "no handler for kind other") do
      Manyhands::Testing.perform(worker, Manyhands::Job.build("other"))
    end
  end

  def test_inline_performs_what_is_put_before_the_put_returns
    performed = []
    worker = new_worker.perform("k") do |job|
      performed << [job.data, Thread.current]
      queue.put("k", job.data - 1) if job.data.positive?
      nil
    end
    worker.perform("bad") { raise KeyError, "no" }
    Manyhands::Testing.inline(worker) do
      jid = queue.put("k", 2, route: ["q"]).jid
      assert_equal([2, 1, 0, 2, 1, 0], performed.map(&:first))
      assert_equal [Thread.current], performed.map(&:last).uniq
      assert_state "completed", jid
      assert_equal "no", assert_raises(KeyError) { queue.put("bad", jid: "bad") }.message
    end
    assert_equal "bad:KeyError", client.job("bad").failure[:group]
    queue.put("k", 0, jid: "later")
    assert_state "waiting", "later"
  end

  # It is shared by all threads that put, so a put may change nothing of it.
  def test_inline_keeps_nothing_of_a_put
    worker = new_worker.perform("k") { "done" }
    inline = Manyhands::Testing.inline(worker).freeze
    # One of them may perform what the other has put: both are done when both have returned.
    jids = Array.new(2) { Thread.new { queue.put("k").jid } }.map(&:value)
    assert_equal(%w[done done], jids.map { |jid| client.job(jid).result })
  ensure
    inline.stop
  end

  def test_inline_lasts_until_its_stop
    worker = new_worker.perform("k") { "done" }
    inline = Manyhands::Testing.inline(worker)
    jid = queue.put("k").jid
    inline.stop
    assert_equal %w[done waiting], [client.job(jid).result, client.job(queue.put("k").jid).state]
  end

  def test_drain_performs_what_is_due_and_what_that_puts
    queue.put("k", 2, jid: "j")
    queue.put("bad", jid: "bad", retries: 1)
    queue.put("ends", jid: "ends")
    queue.put("later", delay: 60)
    queue.put("unknown", jid: "unknown")
    threads = []
    worker = new_worker.perform("k") do |job|
      threads << Thread.current
      queue.put("k", job.data - 1) if job.data.positive?
      job.data
    end
    worker.perform("bad") { raise KeyError, "no" }.perform("ends") { |job| job.fail("mine") }
    failures = []
    worker.on(:failure) { |job, error| failures << [job.jid, error.class] }
    assert_equal 6, Manyhands::Testing.drain(worker, raises: false)
    assert_equal 0, Manyhands::Testing.drain(worker)
    assert_equal [Thread.current], threads.uniq
    assert_equal 2, client.job("j").result
    found = client.jobs(%w[bad ends unknown]).map { |job| [job.state, job.failure[:group]] }
    assert_equal [%w[scheduled bad:KeyError], %w[failed mine], %w[failed unknown-kind:unknown]], found
    assert_equal [["bad", KeyError], ["ends", Manyhands::Fail]], failures
    assert_includes log.string, "KeyError: no"
  end

  def test_a_time_limit_around_a_drain_ends_it
    require "timeout"
    # By which newer versions of Ruby end the block.
    Timeout.const_set(:ExitException, Class.new(Exception)) unless defined?(Timeout::ExitException) # rubocop:disable Lint/InheritException
    queue.put("k", jid: "j")
    worker = new_worker.perform("k") { raise Timeout::ExitException }
    assert_raises(Timeout::ExitException) { Manyhands::Testing.drain(worker, raises: false) }
    assert_equal "k:ExitException", client.job("j").failure[:group]
  end

  def test_drain_cuts_the_group_of_a_long_kind_as_a_worker_does
    kind = "k" * 250
    stranger = "s" * 250
    queue.put(kind, jid: "j", retries: 0)
    queue.put(stranger, jid: "stranger")
    worker = new_worker.perform(kind) { raise KeyError, "no" }
    assert_equal 2, Manyhands::Testing.drain(worker, raises: false)
    groups = %w[j stranger].map { |jid| client.job(jid).failure[:group] }
    assert_equal ["#{kind}:KeyE", "unknown-kind:#{stranger}"[...255]], groups
  end

  def test_a_result_that_a_drained_job_cannot_keep_is_its_handlers_error
    queue.put("k", jid: "j", retries: 0)
    worker = new_worker.perform("k") { "x" * (2**20) }
    assert_raises(Manyhands::InvalidArgument) { Manyhands::Testing.drain(worker) }
    assert_equal "k:INVALID_ARGUMENT", client.job("j").failure[:group]
  end

  def test_drain_raises_what_a_handler_raised_when_its_job_was_told
    queue.put("bad", jid: "bad")
    queue.put("k", jid: "next")
    worker = new_worker.perform("bad") { raise KeyError, "no" }.perform("k") { raise Manyhands::Fail, "said" }
    assert_raises(KeyError) { Manyhands::Testing.drain(worker) }
    assert_state "scheduled", "bad"
    assert_equal 1, Manyhands::Testing.drain(worker)
    assert_equal "said", client.job("next").failure[:group]
  end

  def test_drain_follows_patterns
    client.patterns.set(identifiers: { "slow" => ["@large"], "large" => ["mail-bulk"] },
                        priorities: [{ patterns: ["mail-b"] }])
    %w[mail-a mail-b mail-bulk other].each { |name| client.queue(name).put("k", name) }
    seen = []
    shared = { ["mail-*", "!@slow"] => %w[mail-b mail-a], ["!other"] => %w[mail-bulk], ["*"] => %w[other] }
    shared.each do |queues, found|
      worker = Manyhands::Worker.new(client, queues:).perform("k") { |job| (seen << job.data) && nil }
      assert_equal found.size, Manyhands::Testing.drain(worker)
      assert_equal found, seen
      seen.clear
      worker.close
    end
  end
end
