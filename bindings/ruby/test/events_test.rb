# frozen_string_literal: true

require "timeout"

require_relative "case"

# Q15
class EventsTest < Case
  def setup
    super
    @opened = []
  end

  def teardown
    @opened.each(&:close)
    super
  end

  def events(*what, **options) = client.events(*what, **options).tap { |one| @opened << one }

  def tracked(jid = "j")
    queue.put("k", jid:)
    client.track([jid])
    jid
  end

  def test_a_tracked_job_tells_what_happens_to_it
    heard = events
    tracked
    queue.reserve.fetch(0).complete
    found = Array.new(3) { heard.next(timeout: PATIENCE) }
    assert_equal(%w[track reserved completed], found.map(&:event))
    assert_equal [%w[j], %w[q], %w[k]], [found.map(&:jid).uniq, found.map(&:queue).uniq, found.map(&:kind).uniq]
    assert_match(/:#{Process.pid}:/, found[1].worker)
    assert_nil found[2].worker
    assert_in_delta Time.now, found[2].at, PATIENCE
    assert_nil heard.next(timeout: 0)
    assert_equal 0, heard.gaps
  end

  def test_a_block_hears_the_chosen_events_until_it_breaks_off
    jids = Thread::Queue.new
    listening = Thread.new do
      client.events("completed") do |event|
        jids << event.jid
        break :enough if event.jid == "b"
      end
    end
    eventually { listening.status == "sleep" }
    client.config.set("events", "all")
    eventually do
      queue.put("k", jid: "a")
      queue.reserve.fetch(0).complete
      jids.size.positive?
    end
    queue.put("k", jid: "b")
    queue.reserve.fetch(0).complete
    assert_equal :enough, listening.value
    assert_equal %w[a b], Array.new(jids.size) { jids.pop }.uniq
  end

  def test_it_is_enumerable
    heard = events("track")
    client.track([tracked("a"), tracked("b")])
    assert_equal %w[a b], heard.lazy.map(&:jid).first(2)
  end

  def test_a_worker_s_channel
    heard = events(worker: "w")
    queue.put("k", jid: "j")
    queue.reserve(worker: "w")
    client.cancel(["j"])
    event = heard.next(timeout: PATIENCE)
    assert_equal %w[cancelled j w], [event.event, event.jid, event.worker]
  end

  def test_close_ends_a_wait_and_every_later_one
    heard = events
    waiting = Thread.new { heard.each(&:jid) }
    eventually { waiting.status == "sleep" }
    refute_predicate heard, :closed?
    heard.close
    heard.close
    assert_same heard, waiting.value
    assert_predicate heard, :closed?
    assert_nil heard.next
    assert_equal "#<Manyhands::Events closed>", heard.inspect
  end

  def test_a_closed_client_ends_it
    heard = events
    waiting = Thread.new { heard.next }
    eventually { waiting.status == "sleep" }
    client.close
    assert_nil waiting.value
    assert_raises(Manyhands::Closed) { client.events }
  end

  def test_other_threads_run_while_one_waits_and_interrupts_end_the_wait
    heard = events
    waiting = Thread.new { heard.next }
    eventually { waiting.status == "sleep" }
    counted = 0
    100_000.times { counted += 1 }
    assert_predicate waiting, :alive?
    waiting.kill
    assert waiting.join(PATIENCE)
    assert_raises(Timeout::Error) { Timeout.timeout(0.05) { heard.next } }
    tracked
    assert_equal "track", heard.next(timeout: PATIENCE).event
  end

  def test_what_happens_while_the_connection_is_away_is_heard
    client.config.set("events", "all")
    heard = events("put")
    %w[before meanwhile after].each do |jid|
      SERVER.command("CLIENT", "KILL", "TYPE", "pubsub") if jid == "meanwhile"
      queue.put("k", jid:)
      assert_equal jid, heard.next(timeout: PATIENCE).jid
    end
    assert_equal 0, heard.gaps
  end

  def test_without_a_stream_it_is_counted
    heard = events
    SERVER.command("CLIENT", "KILL", "TYPE", "pubsub")
    eventually do
      heard.next(timeout: 0.1)
      heard.gaps.positive?
    end
    event = eventually do
      client.untrack([tracked])
      heard.next(timeout: 0.1)
    end
    assert_includes %w[track untrack put], event.event
  end

  def test_a_child_subscribes_by_itself
    heard = events
    reader, writer = IO.pipe
    pid = Process.fork do
      heard.close
      refused = heard.closed? && begin
        heard.next
      rescue Manyhands::Closed
        true
      end
      own = client.events("track")
      tracked
      writer.puts [refused, own.next(timeout: PATIENCE).jid].join(" ")
    ensure
      Process.exit!(0)
    end
    writer.close
    assert_equal "true j\n", reader.read
    Process.wait(pid)
    assert_equal "track", heard.next(timeout: PATIENCE).event
  end
end
