# frozen_string_literal: true

require_relative "work_case"

# The command's options, its words and its refusals.
class WorkTest < WorkCase
  # A3 Q24
  def test_help_explains_every_setting_with_its_unit_default_and_variable
    assert_predicate status(command("work", "--help")), :success?
    %w[queues reservation worker-count thread-count jobs-per-fork interval verbose very-verbose run-as-single-process
       statsd-host statsd-port statsd-key url namespace shutdown-timeout kill-timeout max-memory-mb].each do |flag|
      assert_includes @said, "  --#{flag}"
    end
    assert_match(/--worker-count PROCESSES\n +Worker .* Default: 1\. \[WORKER_COUNT\]/, @said)
    assert_operator @said.lines.map(&:size).max, :<, 122
    assert_predicate status(command("--version")), :success?
    assert_equal "manyhands-ruby #{Manyhands::VERSION}\n", @said
  end

  REFUSED = [
    [%w[], {}, "nothing to do"],
    [%w[wrok], {}, "wrok is unknown"],
    [%w[work], {}, "-r is missing"],
    [%w[work -r FILE now], {}, "now is unknown"],
    [%w[work -r FILE --wroker-count 2], {}, "--wroker-count is unknown"],
    [%w[work -r FILE --worker-count], {}, "--worker-count needs a value"],
    [%w[work -r FILE --worker-count 0], {}, "--worker-count 0 is outside 1..1000"],
    [%w[work -r FILE], { WORKER_COUNT: "many" }, "WORKER_COUNT many is not a whole number"],
    [%w[work -r FILE], { JOB_RESERVER: "fair" }, "JOB_RESERVER fair is unknown"],
    [%w[work -r FILE --verbose=maybe], {}, "--verbose takes no value"],
    [%w[work -r nowhere.rb], {}, "-r nowhere.rb is no file, and nothing that `require` finds"],
    [%w[work -r FILE --reservation callback], {}, "--reservation callback needs a function"],
    [%w[work -r FILE], { JOB_RESERVER: "callback" }, "JOB_RESERVER callback needs a function"],
    [%w[work -r FILE --url redis], {}, '--url "redis" has no scheme'],
    [%w[work -r FILE], { NAMESPACE: "a b" }, 'NAMESPACE "a b" is not'],
    [%w[work -r FILE --queues a,b,a], {}, "--queues[2] names a a second time"],
    [%w[work -r FILE], { QUEUES: "a,a" }, "QUEUES[1] names a a second time"],
    [["work", "-r", "FILE", "--queues", "\xff"], {}, '"\xFF" is not UTF-8'],
    [%w[work -r FILE --queues=é --worker-count 0], { LC_ALL: "C" }, "--worker-count 0 is outside 1..1000"]
  ].freeze

  def test_what_is_wrong_is_refused_by_the_name_that_was_written
    file = application
    running = REFUSED.map do |arguments, variables, message|
      [command(*arguments.map { |one| one == "FILE" ? file : one }, **variables), message]
    end
    running.each do |program, message|
      assert_equal 2, status(program).exitstatus, message
      assert_includes @said, "manyhands-ruby: #{message}"
    end
  end

  def test_a_program_that_says_no_worker_is_refused
    assert_equal 2, status(work(text: "")).exitstatus
    assert_includes @said, "manyhands-ruby: what was loaded does not say Manyhands.worker"
    assert_equal 2, status(work(text: "require 'manyhands'; Manyhands.worker { 1 }")).exitstatus
    assert_includes @said, "manyhands-ruby: the block of Manyhands.worker gave 1, not a Manyhands::Worker"
    text = "require 'manyhands'; Manyhands.worker { Manyhands::Worker.new(Manyhands::Client.new, queues: ['q']) }"
    assert_equal 2, status(work(text:)).exitstatus
    assert_includes @said, "manyhands-ruby: the worker performs nothing: say worker.perform(…)"
    assert_equal 1, status(work(text: "require 'no such library'")).exitstatus
    assert_includes @said, "cannot load such file -- no such library (LoadError)"
    assert_refused(Manyhands::InvalidArgument, "worker needs a block") { Manyhands.worker }
  end

  def test_a_program_says_one_worker
    file = application
    other = File.join(@dir, "other.rb")
    File.write(other, "require 'manyhands'\nManyhands.worker { nil }\n")
    assert_equal 2, status(command("work", "-r", file, "-r", other)).exitstatus
    assert_includes @said, "manyhands-ruby: Manyhands.worker is said more than once: #{file}:5, #{other}:2\n"
    File.write(other, "2.times { load #{file.inspect} }")
    queue.put("pid", jid: "j")
    command("work", "-r", other)
    eventually { client.job("j").state == "completed" }
  end

  def test_a_program_that_runs_its_worker_itself_is_refused
    made = "Manyhands::Worker.new(Manyhands::Client.new, queues: ['q']).tap { |worker| worker.perform('k') { 1 } }"
    ["#{made}.run", "Manyhands.worker { #{made}.tap(&:run) }", "#{made}.next(timeout: 0)"].each do |text|
      assert_equal 2, status(work(text: "require 'manyhands'; #{text}")).exitstatus
      assert_includes @said, "manyhands-ruby: the command runs the worker itself: the application only exports it\n"
    end
  end

  # A URL that nobody uses may be anything.
  def test_the_program_s_own_url_wins_over_one_of_redis
    url, namespace = [SERVER.url, client.namespace].map(&:inspect)
    text = <<~RUBY
      require "manyhands"
      Manyhands.worker do
        client = Manyhands::Client.new(#{url}, namespace: #{namespace})
        Manyhands::Worker.new(client, queues: ["q"]).perform("k") { "done" }
      end
    RUBY
    queue.put("k", jid: "j")
    work(text:, MANYHANDS_URL: "", NAMESPACE: "", REDIS_URL: "nonsense")
    eventually { client.job("j").state == "completed" }
  end

  # Q24: flags win over variables, and both over the program.
  def test_settings_win_over_what_the_program_says
    text = <<~RUBY
      require "manyhands"
      Manyhands.worker do
        client = Manyhands::Client.new("unix:///nowhere", namespace: "elsewhere")
        queue = client.queue("b")
        worker = Manyhands::Worker.new(client, queues: ["a"], threads: 3, shutdown_timeout: 1)
        worker.perform("k") { [queue.counts[:running], client.url, ENV.fetch("QUEUES")] }
      end
    RUBY
    client.queue("b").put("k", jid: "j")
    program = work("--queues=b,c", "--verbose", text:, QUEUES: "d", RESERVATION: "RoundRobin",
                                                RUN_AS_SINGLE_PROCESS: "yes")
    eventually { client.job("j").state == "completed" }
    assert_equal [1, SERVER.url, "b,c"], client.job("j").result
    status = eventually { workers.first }
    assert_equal [3, %w[b c], program.pid], status.values_at(:threads, :queues, :pid)
    assert_includes program.gets, "kind=k jid=j"
  end

  def test_rake_runs_the_same
    File.write(File.join(@dir, "Rakefile"), <<~RUBY)
      require "manyhands/tasks"
      task("program") { require #{application.inspect} }
      task "manyhands:setup" => "program"
    RUBY
    queue.put("pid", jid: "j")
    program = rake(QUEUES: "q,r")
    eventually { client.job("j").state == "completed" }
    assert_includes title(program.pid), "manyhands master [q,r] "
    Process.kill("TERM", program.pid)
    assert_predicate status(program), :success?
    assert_equal 2, status(rake(THREAD_COUNT: "0")).exitstatus
    assert_includes @said, "manyhands:work: THREAD_COUNT 0 is outside 1..1000"
  end

  # Runs a task of the Rakefile.
  def rake(task = "manyhands:work", **variables)
    paths = $LOAD_PATH.map { |path| "-I#{path}" }
    program = IO.popen([{ **environment, **variables.transform_keys(&:to_s) }, RbConfig.ruby, *paths,
                        Gem.bin_path("rake", "rake"), "-f", File.join(@dir, "Rakefile"), task, { err: %i[child out] }])
    @programs << program
    program
  end

  # One that a task of another name runs is that task's affair.
  def test_rake_refuses_a_program_that_runs_its_worker_itself
    namespace = client.namespace.inspect
    run = "Manyhands::Worker.new(Manyhands::Client.new(namespace: #{namespace}), queues: ['q'], max_jobs: 1)" \
          ".perform('k') { 1 }.run"
    begins = "require 'manyhands/tasks'\n"
    only = "the command runs the worker itself: the application only exports it"
    File.write(File.join(@dir, "Rakefile"), begins + run)
    assert_equal 1, status(rake).exitstatus
    assert_includes @said, only
    File.write(File.join(@dir, "Rakefile"), "#{begins}task('manyhands:setup') { #{run} }")
    assert_equal 2, status(rake).exitstatus
    assert_equal "manyhands:work: #{only}\n", @said
    File.write(File.join(@dir, "Rakefile"), "#{begins}task('own') { #{run} }")
    queue.put("k", jid: "j")
    assert_predicate status(rake("own")), :success?, @said
  end
end
