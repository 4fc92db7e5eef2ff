# frozen_string_literal: true

require_relative "case"

# Runs without the check against sig/, which would refuse most of this before we can.
class BadInputTest < Case
  CYCLE = [].tap { |array| array << array }

  # What is at fault, and the put that has it: kind, data and options.
  PUTS = {
    "kind" => ["", nil, {}],
    "data" => ["k", Object.new, {}],
    "data holds a Time" => ["k", { at: Time.now }, {}],
    "data holds NaN" => ["k", [Float::NAN], {}],
    "data holds Infinity" => ["k", { a: Float::INFINITY }, {}],
    "data holds the key 1" => ["k", { 1 => 2 }, {}],
    "data holds text" => ["k", "\xFF", {}],
    "data is nested" => ["k", CYCLE, {}],
    "jid" => ["k", nil, { jid: "x" * 300 }],
    "priority" => ["k", nil, { priority: 5000 }],
    "priority 1.5" => ["k", nil, { priority: 1.5 }],
    "priority holds NaN" => ["k", nil, { priority: Float::NAN }],
    "delay must be 0 to 3155760000 seconds, not -1" => ["k", nil, { delay: -1 }],
    "delay must be 0 to 3155760000 seconds, not NaN" => ["k", nil, { delay: Float::NAN }],
    "delay must be 0 to 3155760000 seconds, not Infinity" => ["k", nil, { delay: Float::INFINITY }],
    "delay must be a number" => ["k", nil, { delay: "soon" }],
    "retries" => ["k", nil, { retries: 256 }],
    "tags" => ["k", nil, { tags: "one" }],
    "tags[1]" => ["k", nil, { tags: ["a", ""] }],
    "route" => ["k", nil, { route: ["q"] * 65 }],
    "on_conflict" => ["k", nil, { on_conflict: "explode" }],
    "ttl is unknown" => ["k", nil, { ttl: 5 }],
    "delay_ms is unknown" => ["k", nil, { delay_ms: 5 }]
  }.freeze

  PUTS.each do |naming, (kind, data, options)|
    define_method("test_put: #{naming}") do
      error = assert_refused(Manyhands::InvalidArgument, naming) { queue.put(kind, data, **options) }
      assert_equal 100, error.code
      client.on(:after_put) { flunk } # puts that somebody sees go another way
      seen = assert_refused(Manyhands::InvalidArgument, naming) { queue.put(kind, data, **options) }
      assert_equal error.message, seen.message
      assert_equal 0, queue.counts[:waiting]
    end
  end

  def test_data_larger_than_max_data
    assert_refused(Manyhands::InvalidArgument, "data") { queue.put("k", "x" * (1024 * 1024)) }
  end

  def test_put_many_names_the_job_and_writes_none
    assert_many_are_refused
    client.on(:after_put) { flunk }
    assert_many_are_refused
    assert_equal 0, queue.counts[:waiting]
  end

  def assert_many_are_refused
    jobs = [{ kind: "k" }, { kind: "k", delay: -1 }]
    assert_refused(Manyhands::InvalidArgument, "jobs[1].delay") { queue.put_many(jobs) }
    jobs[1] = { kind: "k", priority: 500 }
    assert_refused(Manyhands::InvalidArgument, "jobs[1].priority 500") { queue.put_many(jobs) }
    assert_refused(Manyhands::InvalidArgument, " kind is missing") { queue.put_many([{ data: 1 }]) }
    assert_refused(Manyhands::InvalidArgument, "jobs[0] must be a Hash") { queue.put_many([1]) }
    assert_refused(Manyhands::InvalidArgument, "jobs must be an Array") { queue.put_many(1) }
    assert_refused(Manyhands::InvalidArgument, "jobs") { queue.put_many([]) }
  end

  def test_queue
    assert_refused(Manyhands::InvalidArgument, "queue is empty") { client.queue("").put("k") }
    assert_refused(Manyhands::InvalidArgument, "queue") { client.queue("a\nb").put("k") }
    assert_refused(Manyhands::InvalidArgument, "queue") { client.queue(7).reserve }
    assert_refused(Manyhands::InvalidArgument, "limit") { queue.reserve(1001) }
    assert_refused(Manyhands::InvalidArgument, "limit") { queue.reserve(0) }
    assert_refused(Manyhands::InvalidArgument, "limit") { queue.reserve(1.5) }
    assert_refused(Manyhands::InvalidArgument, "limit") { queue.reserve(2**70) }
    assert_refused(Manyhands::InvalidArgument, "worker") { queue.reserve(1, worker: 5) }
    assert_refused(Manyhands::InvalidArgument, "day") { queue.stats("yesterday") }
  end

  def test_client
    assert_refused(Manyhands::UnsupportedUrl, "ftp") { Manyhands::Client.new("ftp://localhost") }
    assert_refused(Manyhands::InvalidArgument, "url") { Manyhands::Client.new(7) }
    assert_refused(Manyhands::InvalidArgument, "namespace") { Manyhands::Client.new(nil, namespace: "a b") }
    assert_refused(Manyhands::InvalidArgument, "timeout") { Manyhands::Client.new(nil, timeout: Float::NAN) }
    assert_refused(Manyhands::InvalidArgument, "colour is unknown") { Manyhands::Client.new(nil, colour: 1) }
    assert_refused(Manyhands::InvalidArgument, "jid") { client.job("x" * 300) }
    assert_refused(Manyhands::InvalidArgument, "operation") { client.call(nil) }
    assert_refused(Manyhands::InvalidArgument, " queue holds a Object") do
      client.call("queue_counts", { queue: Object.new })
    end
    assert_refused(Manyhands::InvalidArgument, "colour") { client.call("queue_counts", { queue: "q", colour: 1 }) }
  end

  def test_config
    assert_refused(Manyhands::InvalidArgument, "colour") { client.config.get("colour") }
    assert_refused(Manyhands::InvalidArgument, "heartbeat") { client.config.set("heartbeat", -1) }
    assert_refused(Manyhands::InvalidArgument, "NaN") { client.config.set("heartbeat", Float::NAN) }
  end

  def test_worker
    refuse = lambda do |naming, **options|
      assert_refused(Manyhands::InvalidArgument, naming) { Manyhands::Worker.new(client, queues: ["q"], **options) }
    end
    refuse.call("threads", threads: 0)
    refuse.call("strategy", strategy: "chaotic")
    refuse.call("shutdown_timeout", shutdown_timeout: -1)
    refuse.call("queues", queues: [])
    refuse.call("queues", queues: "q")
    refuse.call("colour is unknown", colour: 1)
    assert_refused(Manyhands::InvalidArgument, "client") { Manyhands::Worker.new("redis://", queues: ["q"]) }

    worker = new_worker
    assert_refused(Manyhands::InvalidArgument, "block") { worker.perform("k") }
    assert_refused(Manyhands::InvalidArgument, "kind is empty") { worker.perform("") { nil } }
    assert_refused(Manyhands::InvalidArgument, "block") { worker.on_lock_lost }
    assert_refused(Manyhands::InvalidArgument, "timeout") { worker.next(timeout: -1) }
  end

  def test_native_objects_are_made_by_this_library_only
    assert_raises(TypeError) { Manyhands::Native::Worker.allocate }
    assert_raises(TypeError) { Manyhands::Native::Client.new }
  end
end
