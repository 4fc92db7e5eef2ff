# frozen_string_literal: true

require_relative "case"

# Job classes with defaults, handlers that are not blocks, and jobs without a server.
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
    assert_refused(Manyhands::WrongState, "not in this program's hands") { job.complete }
    assert_refused(Manyhands::WrongState, "reaches no server") { job.log("hello") }
    assert_refused(Manyhands::WrongState, "reaches no server") { job.result }
  end
end
