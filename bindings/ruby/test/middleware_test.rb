# frozen_string_literal: true

require_relative "case"

# What middleware and hooks mean: Q25. The cases around perform are those of every language.
class MiddlewareTest < Case
  CASES = JSON.parse(File.read(File.expand_path("../../../tests/middleware/cases.json", __dir__)))

  # The moves of the cases: what a module of this name does around a job.
  MOVES = {
    around: lambda do |name, trace, _job, following|
      trace << "#{name} before"
      following.call.tap { trace << "#{name} after" }
    rescue StandardError
      trace << "#{name} raised"
      raise
    end,
    skip: ->(name, trace, *) { (trace << "#{name} skips") && nil },
    fail: lambda do |name, trace, *|
      trace << "#{name} fails"
      raise Manyhands::Fail.new("held", "by #{name}")
    end,
    snooze: lambda do |name, trace, *|
      trace << "#{name} snoozes"
      raise Manyhands::Snooze, 60
    end,
    retry: lambda do |name, trace, *|
      trace << "#{name} retries"
      raise Manyhands::Retry, 60
    end,
    finish: lambda do |name, trace, job, *|
      trace << "#{name} finishes"
      job.complete({ by: name })
    end,
    break: lambda do |name, trace, *|
      trace << "#{name} breaks"
      raise "broken by #{name}"
    end,
    break_after: lambda do |name, trace, _job, following|
      following.call
      trace << "#{name} breaks"
      raise "broken by #{name}"
    end,
    rescue: lambda do |name, trace, _job, following|
      following.call
    rescue StandardError
      trace << "#{name} rescues"
      { rescued: true }
    end,
    replace: lambda do |name, trace, _job, following|
      following.call
      trace << "#{name} replaces"
      { from: name }
    end,
    write: ->(name, _, job, following) { (job.locals["seen"] = name) && following.call },
    read: lambda do |name, trace, job, following|
      trace << "#{name} sees #{job.locals.fetch('seen', 'nothing')}"
      following.call
    end,
    twice: lambda do |name, trace, _job, following|
      first = following.call
      assert_twice_refused(following)
      trace << "#{name} refused"
      first
    end
  }.freeze

  HANDLERS = {
    answer: ->(trace, _) { (trace << "handler") && { answer: 42 } },
    read: ->(trace, job) { (trace << "handler sees #{job.locals['seen']}") && nil },
    break: lambda do |trace, _|
      trace << "handler"
      raise "broken"
    end,
    fail: ->(trace, job) { (trace << "handler") && job.fail("held", "by handler") && nil }
  }.freeze

  def self.assert_twice_refused(following)
    following.call
    raise "a second super was let through"
  rescue Manyhands::WrongState
    nil
  end

  # The module that does a move.
  def middleware(words, trace)
    name, move = words.split
    act = MOVES.fetch(move.to_sym)
    Module.new { define_method(:around_perform) { |job| act.call(name, trace, job, -> { super(job) }) } }
  end

  CASES.fetch("cases").each do |one|
    define_method("test_#{one['name'].tr(' ', '_')}") do
      jids = Array.new(one.fetch("jobs", 1)) { queue.put("k", **{ retries: one["retries"] }.compact).jid }
      trace = []
      worker = new_worker.perform("k") { |job| HANDLERS.fetch(one["handler"].to_sym).call(trace, job) }
      one["chain"].each { |words| worker.use(middleware(words, trace)) }
      told = []
      { before_perform: "before", after_perform: "after", failure: "failure" }.each do |hook, word|
        worker.on(hook) { told << word }
      end
      running(worker) { eventually { queue.counts.values_at(:waiting, :running).sum.zero? } }
      assert_equal one["trace"], trace
      assert_equal one["hooks"].map { |hook| hook[/\w+/] }, told
      jids.each { |jid| assert_ended(one, client.job(jid)) }
    end
  end

  def assert_ended(one, job)
    expected = one.slice("state", "result", "group", "message")
    found = { "state" => job.state, "result" => job.result,
              "group" => job.failure&.fetch(:group), "message" => job.failure&.fetch(:message) }
    assert_equal expected, found.slice(*expected.keys)
  end

  def test_each_run_has_an_object_of_its_own
    counting = Module.new do
      def around_perform(job)
        @runs = @runs.to_i + 1
        [@runs, super]
      end
    end
    jids = Array.new(2) { queue.put("k").jid }
    worker = new_worker.use(counting).use(counting).perform("k") { "done" }
    running(worker) { eventually { unfinished.zero? } }
    jids.each { |jid| assert_equal [1, [1, "done"]], client.job(jid).result }
  end

  def test_middleware_and_hooks_come_before_the_start
    worker = new_worker.perform("k") { nil }
    running(worker) do
      queue.put("k")
      eventually { unfinished.zero? }
      assert_raises(Manyhands::WrongState) { worker.use(Module.new { def around_perform(_job) = nil }) }
      assert_raises(Manyhands::WrongState) { worker.on(:start) { nil } }
    end
  end

  def test_hooks_hear_what_happens
    queue.put("unknown")
    queue.put("good", jid: "good")
    queue.put("bad", jid: "bad", retries: 0)
    queue.put("fails", jid: "fails")
    heard = []
    worker = new_worker.perform("good") { (heard << :good) && nil }.perform("bad") { raise KeyError, "no" }
    worker.perform("fails") { raise Manyhands::Fail, "given-up" }
    %i[start stop].each { |hook| worker.on(hook) { |whose| heard << [hook, whose.equal?(worker)] } }
    %i[before_perform after_perform].each { |hook| worker.on(hook) { |job| heard << [hook, job.jid] } }
    worker.on(:failure) { |job, error| heard << [:failure, job.jid, error.class] }
    running(worker) { eventually { unfinished.zero? } }
    assert_equal [[:start, true], [:before_perform, "good"], :good, [:after_perform, "good"],
                  [:before_perform, "bad"], [:after_perform, "bad"], [:failure, "bad", KeyError],
                  [:before_perform, "fails"], [:after_perform, "fails"], [:failure, "fails", Manyhands::Fail],
                  [:stop, true]], heard
  end

  def test_the_failure_of_a_job_that_its_handler_failed_is_what_it_said
    queue.put("k")
    worker = new_worker.perform("k") { |job| job.fail("held", "by handler", "line 1") && raise("too late") }
    heard = []
    worker.on(:failure) { |_, error| heard << [error.class, error.group, error.message, error.trace] }
    running(worker) { eventually { unfinished.zero? } }
    assert_equal [[Manyhands::Fail, "held", "by handler", "line 1"]], heard
  end

  def test_what_a_hook_raises_is_logged_and_changes_nothing
    queue.put("k", jid: "j")
    worker = new_worker.perform("k") { "done" }
    heard = []
    %i[start before_perform after_perform stop].each do |hook|
      worker.on(hook) { raise "from #{hook}" }.on(hook) { heard << hook }
    end
    running(worker) { eventually { unfinished.zero? } }
    assert_equal %i[start before_perform after_perform stop], heard
    heard.each { |hook| assert_includes log.string, "from #{hook}" }
    assert_equal "done", client.job("j").result
  end

  def test_middleware_around_put_sees_and_changes_what_is_put
    seen = []
    client.use(Module.new do
      define_method(:around_put) do |puts|
        puts.each { |put| seen << put.values_at(:queue, :kind, :data, :priority) }
        super(puts).tap { |placed| seen << placed.map(&:outcome) }
      end
    end)
    client.use(Module.new do
      def around_put(puts)
        puts.each { |put| put.update(queue: "other", tags: ["t"]) }
        super
      end
    end)
    options = { priority: 3, jid: "j" }
    queue.put("k", 1, **options)
    queue.put_many([{ kind: "a" }, { kind: "b", data: 2 }])
    assert_equal [["q", "k", 1, 3], %w[put], ["q", "a", nil, nil], ["q", "b", 2, nil], %w[put put]], seen
    assert_equal ["other", ["t"]], [client.job("j").queue, client.job("j").tags]
    assert_equal 3, client.queue("other").length
    assert_equal({ priority: 3, jid: "j" }, options)
  end

  def test_middleware_keeps_a_job_from_being_put
    client.use(Module.new { def around_put(_puts) = [] })
    assert_nil queue.put("k")
    assert_empty queue.put_many([{ kind: "k" }])
    assert_equal 0, queue.length
  end

  def test_what_middleware_makes_of_a_put_is_checked
    wrong = { unknown: 1 }
    client.use(Module.new { define_method(:around_put) { |puts| super(puts.map { |put| put.merge(wrong) }) } })
    assert_refused(Manyhands::InvalidArgument, "unknown") { queue.put("k") }
    assert_refused(Manyhands::InvalidArgument, "jobs[0].unknown") { queue.put_many([{ kind: "k" }, { kind: "k" }]) }
  end

  def test_a_refused_put_is_raised_through_middleware
    queue.put("k", jid: "j")
    raised = nil
    client.use(Module.new do
      define_method(:around_put) do |puts|
        super(puts)
      rescue Manyhands::Error => e
        raised = e
        raise
      end
    end)
    assert_raises(Manyhands::JobExists) { queue.put("k", jid: "j", on_conflict: "reject") }
    assert_kind_of Manyhands::JobExists, raised
  end

  def test_hooks_around_put
    heard = []
    client.on(:before_put) { |puts| heard << puts.map { |put| put[:kind] } }
    client.on(:after_put) { |puts, placed| heard << [puts.size, placed.map(&:jid)] }
    queue.put("k", jid: "j")
    assert_equal [["k"], [1, ["j"]]], heard
  end

  def test_what_a_hook_of_a_put_raises_is_written_and_changes_nothing
    %i[before_put after_put].each { |hook| client.on(hook) { raise "from #{hook}" } }
    _, written = capture_io { queue.put("k", jid: "j") }
    assert_equal ["manyhands: on_before_put raised RuntimeError: from before_put",
                  "manyhands: on_after_put raised RuntimeError: from after_put"], written.lines(chomp: true)
    assert_state "waiting", "j"
  end
end
