# frozen_string_literal: true

require_relative "case"

# What is neither middleware, nor a hook, a handler, a rule or a job.
class UnfitTest < Case
  def test_what_is_no_middleware_is_refused
    bare = Module.new
    [Class.new, 5, nil, bare].each do |wrong|
      assert_refused(Manyhands::InvalidArgument, wrong.equal?(bare) ? "around_perform" : "middleware") do
        new_worker.use(wrong)
      end
    end
    assert_refused(Manyhands::InvalidArgument, "around_put") { client.use(bare) }
    assert_refused(Manyhands::InvalidArgument, "hook began is unknown") { new_worker.on(:began) { nil } }
    assert_refused(Manyhands::InvalidArgument, "hook must be a String, not NilClass") { new_worker.on(nil) { nil } }
    assert_refused(Manyhands::InvalidArgument, "hook start needs a block") { new_worker.on(:start) }
    assert_refused(Manyhands::InvalidArgument, "hook start is unknown") { client.on(:start) { nil } }
  end

  def test_middleware_that_returns_no_list_is_refused
    client.use(Module.new { def around_put(puts) = super && nil })
    assert_refused(Manyhands::WrongState, "around_put returned nil") { queue.put("k") }
  end

  module Welcome
    extend Manyhands::Performs
    performs "welcome"

    def self.perform(_job) = nil
  end

  class Unsaid
    extend Manyhands::Performs
  end

  # A kind is of one class: what one says is not said of those below it.
  class Child < Class.new { extend(Manyhands::Performs).performs("said", queue: "q") }
  end

  def test_what_cannot_perform_is_refused
    assert_refused(Manyhands::InvalidArgument, "has no perform(job)") { new_worker.perform("k", 5) }
    assert_refused(Manyhands::InvalidArgument, "has no perform(job)") { new_worker.perform("k", Class.new) }
    assert_refused(Manyhands::InvalidArgument, "both given") { new_worker.perform("k", Welcome) { nil } }
    assert_refused(Manyhands::InvalidArgument, "perform needs a block") { new_worker.perform("k") }
    assert_refused(Manyhands::WrongState, "Unsaid performs nothing yet") { new_worker.perform(Unsaid) }
    assert_refused(Manyhands::WrongState, "Unsaid performs nothing yet") { Unsaid.put(client) }
    assert_refused(Manyhands::WrongState, "Child performs nothing yet") { Child.put_recurring(client, interval: 1) }
    assert_refused(Manyhands::InvalidArgument, "kinds is unknown") { Unsaid.performs("k", kinds: 1) }
    assert_refused(Manyhands::InvalidArgument, "client must be a Manyhands::Client") { Welcome.put("images") }
  end

  def test_a_job_that_json_cannot_say_is_not_built
    assert_refused(Manyhands::InvalidArgument, "data holds a Object") { Manyhands::Job.build("k", Object.new) }
    assert_refused(Manyhands::InvalidArgument, "tags must be a String") { Manyhands::Job.build("k", tags: [1]) }
  end

  B = Manyhands::Backoff

  # What was refused leaves the worker as it was.
  def test_a_refused_handler_leaves_the_others
    worker = new_worker.perform("k") { "done" }
    [[5, {}], ["k", { timeout: "5" }], ["k", { backoff: Object.new }], ["", {}]].each do |kind, limits|
      assert_raises(Manyhands::InvalidArgument) { worker.perform(kind, **limits) { "other" } }
    end
    jid = queue.put("k").jid
    running(worker) { eventually { client.job(jid).state == "completed" } }
    assert_equal "done", client.job(jid).result
  end

  # Says by itself what it is in JSON, but cannot.
  class Untellable
    def to_json(*) = raise(KeyError, "cannot say")
  end

  def test_a_failure_that_cannot_be_told_is_an_error_and_ends_no_thread
    queue.put("k", jid: "j", retries: 0)
    queue.put("k", 1, jid: "next")
    worker = new_worker.perform("k") { |job| job.data || raise(Manyhands::Fail, Untellable.new) }
    running(worker) { eventually { client.job("next").state == "completed" } }
    assert_equal "k:KeyError", client.job("j").failure[:group]
  end

  def test_who_is_tested_is_named
    require "manyhands/testing"
    job = Manyhands::Job.build("k")
    { "worker" => [->(testing) { testing.drain(nil) }, ->(testing) { testing.inline(client) },
                   ->(testing) { testing.perform(client, job) }],
      "client" => [->(testing) { testing.recorded_puts(new_worker) { nil } }],
      "job" => [->(testing) { testing.perform(new_worker, nil) }] }.each do |what, calls|
      calls.each do |call|
        assert_refused(Manyhands::InvalidArgument, "#{what} must be a Manyhands::") { call.call(Manyhands::Testing) }
      end
    end
  end

  def test_what_is_no_rule_is_refused
    assert_refused(Manyhands::InvalidArgument, "backoff[1] must be 0 to") { B.list([1, -1]) }
    assert_refused(Manyhands::InvalidArgument, "backoff is empty") { B.of([]) }
    assert_refused(Manyhands::InvalidArgument, "backoff must be an Array, not Integer") { B.list(5) }
    assert_refused(Manyhands::InvalidArgument, "retry_on must be a Hash, not Array") do
      Manyhands::RetryRules.new(retry_on: [KeyError])
    end
    assert_refused(Manyhands::InvalidArgument, 'not "soon"') { B.of("soon") }
    assert_refused(Manyhands::InvalidArgument, "jitter must be 0 to 1, not 2") { B.fixed(1, jitter: 2) }
    assert_refused(Manyhands::InvalidArgument, "factor must be 1 or more, not 0") { B.exponential(factor: 0) }
    assert_refused(Manyhands::InvalidArgument, '"KeyError" is no class') do
      Manyhands::RetryRules.new(retry_on: { "KeyError" => 1 })
    end
    assert_refused(Manyhands::InvalidArgument, "timeout must be 0.001 to") do
      new_worker.perform("k", timeout: 0) { nil }
    end
  end
end
