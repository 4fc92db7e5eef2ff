# frozen_string_literal: true

require_relative "case"

# Job classes with defaults and handlers that are not blocks (Q26), and jobs without a server (Q27).
class PerformsTest < Case
  class Welcome
    extend Manyhands::Performs
    performs "welcome", queue: "q", priority: 3, retries: 2, tags: ["mail"]

    def self.perform(job) = "greeted #{job.data['to']}"
  end

  module Resize
    extend Manyhands::Performs
    performs :resize

    def self.perform(job) = [job.data, "resized"]
  end

  class Later
    extend Manyhands::Performs
    performs "later", queue: "q", priority: 3, retries: 2, tags: ["mail"], throttles: ["smtp"], route: ["archive"],
                      headers: { "from" => "a" }, delay: 60, timeout: 30, backoff: 5
  end

  class Counting
    def perform(_job) = @runs = @runs.to_i + 1
  end

  def test_a_job_class_puts_with_its_defaults_and_performs
    jid = Welcome.put(client, { to: "ann" }).jid
    job = client.job(jid)
    assert_equal ["welcome", "q", 3, 2, ["mail"]], [job.kind, job.queue, job.priority, job.retries, job.tags]
    running(new_worker.perform(Welcome)) { eventually { unfinished.zero? } }
    assert_equal "greeted ann", client.job(jid).result
  end

  def test_a_put_overrides_defaults
    job = client.job(Welcome.put(client, 1, jid: "j", queue: "other", priority: 0, retries: nil, tags: []).jid)
    assert_equal ["j", "other", 0, 2, []], [job.jid, job.queue, job.priority, job.retries, job.tags]
  end

  def test_recurring_jobs_have_its_defaults_but_for_the_delay
    one = Later.put_recurring(client, { to: "ann" }, interval: 60)
    assert_equal ["later", "q", { "to" => "ann" }, 60.0, 32],
                 [one.kind, one.queue, one.data, one.interval, one.jid.size]
    assert_equal [3, 2, ["mail"], ["smtp"], ["archive"], { "from" => "a" }],
                 [one.priority, one.retries, one.tags, one.throttles, one.route, one.headers]
    job = queue.reserve.fetch(0)
    assert_equal [one.jid, "later", 3, 2, ["mail"]], [job.parent, job.kind, job.priority, job.retries, job.tags]
  end

  def test_a_recurring_put_overrides_defaults
    one = Later.put_recurring(client, interval: 0.5, queue: "other", jid: "r", offset: 60, backlog: 2, priority: -1,
                                      retries: 0, tags: [], headers: {}, route: nil)
    assert_equal ["r", "other", nil, 0.5, 2], [one.jid, one.queue, one.data, one.interval, one.backlog]
    assert_equal [-1, 0, [], {}, ["smtp"], ["archive"]],
                 [one.priority, one.retries, one.tags, one.headers, one.throttles, one.route]
    assert_in_delta Time.now + 60, one.next_at, PATIENCE
  end

  def test_bad_recurring_puts_are_refused_by_name
    { { queue: nil } => "queue is missing: PerformsTest::Resize has no default", { delay: 1 } => "delay is unknown",
      { interval: nil } => "interval is missing", { interval: 0 } => "interval must be 0.001 to",
      { priority: 128 } => "priority 128 is outside -128..127", { jid: "x" * 236 } => "jid has 236 bytes",
      { kind: "other" } => "kind is unknown" }.each do |options, naming|
      error = assert_refused(Manyhands::InvalidArgument, naming) do
        Resize.put_recurring(client, 1, **{ interval: 60, queue: "q", **options })
      end
      assert_equal "recurring_put", error.operation
    end
    assert_equal 0, queue.recurring.total
  end

  def test_a_module_performs
    jid = Resize.put(client, 1, queue: "q").jid
    running(new_worker.perform(Resize)) { eventually { unfinished.zero? } }
    assert_equal [1, "resized"], client.job(jid).result
    assert_refused(Manyhands::InvalidArgument, "queue is missing") { Resize.put(client, 1) }
  end

  def test_any_object_with_perform_is_a_handler
    kinds = { "class" => Welcome, "object" => Counting.new, "instances" => Counting, "proc" => ->(_) { "called" } }
    worker = new_worker
    kinds.each { |kind, handler| worker.perform(kind, handler) }
    jids = kinds.keys.flat_map { |kind| Array.new(2) { queue.put(kind, { to: "bob" }).jid } }
    running(worker) { eventually { unfinished.zero? } }
    assert_equal(["greeted bob", "greeted bob", 1, 2, 1, 1, "called", "called"],
                 jids.map { |jid| client.job(jid).result })
  end

  def test_a_job_is_built_without_a_server
    job = Manyhands::Job.build("resize", { width: 3 }, tags: ["t"], retries: 2, queue: :images)
    assert_equal ["resize", { "width" => 3 }, '{"width":3}', "images", ["t"], 2, 2, 0, "built", "running"],
                 [job.kind, job.data, job.raw_data, job.queue, job.tags, job.retries, job.remaining, job.priority,
                  job.jid, job.state]
    assert_equal [nil, nil, nil, {}], [job.token, job.worker, job.lost, job.locals]
    assert_equal [{ "width" => 3 }, "resized"], Resize.perform(job)
    { job_complete: :complete, job_heartbeat: :heartbeat, job_progress: [:progress, 0.5], job_log: [:log, "hello"],
      job_get: :result }.each do |operation, ask|
      error = assert_refused(Manyhands::WrongState, "the job was built: it reaches no server") { job.public_send(*ask) }
      assert_equal operation.name, error.operation
    end
  end
end
