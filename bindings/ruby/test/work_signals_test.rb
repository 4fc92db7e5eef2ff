# frozen_string_literal: true

require_relative "work_case"

# Signals to a master, to one of its processes and to a single process.
class WorkSignalsTest < WorkCase
  TIERS = %w[master process single].freeze

  # Two handlers run: in two processes, or on two threads of a single one. `@target` is who gets the signal, `@affected`
  # are the handlers that it concerns, `@others` those that it does not.
  def begin_at(tier)
    2.times { queue.put("hold") }
    single = tier == "single"
    @program = work(*(single ? %w[--run-as-single-process --thread-count 2] : %w[--worker-count 2]))
    both = [held, held]
    assert_equal single ? 1 : 2, both.map(&:pid).uniq.size
    @affected = tier == "process" ? both.take(1) : both
    @others = both - @affected
    @target = tier == "process" ? both.first.pid : @program.pid
  end

  def assert_others_go_on
    @others.each(&:finish)
    @others.each { |other| eventually { client.job(other.jid).state == "completed" } }
  end

  def pids = @affected.map(&:pid).uniq

  # A5 A6
  TIERS.each do |tier|
    define_method("test_quit_to_a_#{tier}_lets_handlers_finish_and_begins_no_others") do
      begin_at(tier)
      Process.kill("QUIT", @target)
      pids.each { |pid| eventually { title(pid).include?("manyhands worker stopping [q]") } }
      queue.put("hold", jid: "next")
      assert_state "waiting", "next"
      @affected.each(&:finish)
      if tier == "process"
        held.tap { |successor| refute_includes pids, successor.pid }.finish
      else
        assert_predicate status(@program), :success?
        assert_state "waiting", "next"
      end
      assert_others_go_on
      @affected.each { |one| assert_state "completed", one.jid }
    end

    %w[TERM INT].each do |signal|
      define_method("test_#{signal}_to_a_#{tier}_interrupts_handlers_and_gives_their_jobs_back") do
        begin_at(tier)
        Process.kill(signal, @target)
        assert_equal %w[killed], @affected.map(&:ended).uniq
        if tier == "process"
          again = held
          refute_includes pids, again.pid
          assert_equal [@affected.first.jid, ["running", 5]], [again.jid, remaining(again.jid)]
        else
          assert_predicate status(@program), :success?
          assert_equal [["waiting", 5]], @affected.map { |one| remaining(one.jid) }.uniq
        end
        assert_others_go_on
      end
    end

    define_method("test_usr1_to_a_#{tier}_interrupts_handlers_and_its_processes_go_on") do
      begin_at(tier)
      Process.kill("USR1", @target)
      assert_equal %w[killed], @affected.map(&:ended).uniq
      again = @affected.map { held }
      assert_equal @affected.map { |one| [one.jid, one.pid] }.sort, again.map { |one| [one.jid, one.pid] }.sort if
        tier != "master" # there the other process may have been quicker
      assert_equal pids.sort, again.map(&:pid).uniq.sort
      assert_equal [["running", 5]], again.map { |one| remaining(one.jid) }.uniq
      assert_others_go_on
    end

    define_method("test_usr2_to_a_#{tier}_takes_no_jobs_until_cont") do
      begin_at(tier)
      Process.kill("USR2", @target)
      pids.each { |pid| eventually { title(pid).include?("manyhands worker paused [q]") } }
      @others.each { |other| refute_includes title(other.pid), "paused" }
      @affected.each(&:finish)
      @affected.each { |one| eventually { client.job(one.jid).state == "completed" } }
      queue.put("pid", jid: "next")
      assert_state "waiting", "next"
      Process.kill("CONT", @target)
      eventually { client.job("next").state == "completed" }
      assert_includes pids, client.job("next").result
      assert_others_go_on
    end

    define_method("test_ttin_to_a_#{tier}_writes_jobs_and_backtraces_to_the_log") do
      begin_at(tier)
      Process.kill("TTIN", @target)
      log = +""
      eventually do
        log << @program.read_nonblock(10_000, exception: false).then { |read| read.is_a?(String) ? read : "" }
        @affected.all? { |one| log.match?(/performs hold #{one.jid} for [^:]+:\n(  .+\n)*  .+app\.rb:\d+:in /) }
      end
      assert_others_go_on
    end
  end

  %w[TERM INT].each do |signal|
    TIERS.each do |tier|
      define_method("test_a_second_#{signal}_to_a_#{tier}_ends_it_at_once") do
        queue.put("stubborn", jid: "s")
        program = work(*("--run-as-single-process" if tier == "single"))
        pid = held.pid
        target = tier == "process" ? pid : program.pid
        Process.kill(signal, target)
        eventually { title(target).include?("stopping") }
        Process.kill(signal, target)
        eventually { gone?(pid) }
        case tier
        when "master"
          assert_equal 1, status(program).exitstatus
          assert_equal ["waiting", 5], remaining("s")
        when "process" # its master has another
          assert_equal ["s", ["running", 5]], [held.jid, remaining("s")]
        else
          assert_equal Signal.list[signal], status(program).termsig
          assert_equal ["waiting", 5], remaining("s")
        end
      end
    end
  end

  # A handler that ignores the end is killed soon, and its job goes back.
  def assert_quit_kills_the_stubborn(*arguments, **settings)
    queue.put("stubborn", jid: "s")
    program = work(*arguments, **settings)
    pid = held.pid
    Process.kill("QUIT", program.pid)
    assert_equal 1, status(program).exitstatus
    assert gone?(pid)
    assert_equal ["waiting", 5], remaining("s")
  end

  def test_the_command_says_how_long_jobs_may_run_on
    assert_quit_kills_the_stubborn("--shutdown-timeout", "0.1")
  end

  # Its threads would be left 5 s more by the process itself.
  def test_a_program_says_itself_how_long_its_jobs_may_run_on
    text = APPLICATION.sub("queues:", "shutdown_timeout: 0.1, kill_timeout: 5, queues:")
    assert_quit_kills_the_stubborn(text:)
  end

  def test_a_program_says_itself_how_long_its_handlers_may_take_to_end
    queue.put("slow", jid: "s")
    program = work(text: APPLICATION.sub("queues:", "kill_timeout: 30, queues:"))
    slow = held
    Process.kill("TERM", program.pid)
    assert_equal "killed", slow.ended
    # What a master leaves handlers that nobody told is over sooner, though it begins later.
    assert_term_kills_the_stubborn
    slow.finish
    assert_predicate status(program), :success?
    assert_state "completed", "s"
  end

  def assert_term_kills_the_stubborn
    queue.put("stubborn")
    program = work
    stubborn = held
    Process.kill("TERM", program.pid)
    assert_nil stubborn.ended
    assert_equal 1, status(program).exitstatus
  end

  def test_a_process_that_is_not_ready_yet_is_ended_too
    application = APPLICATION.sub(/^ +worker\n/) { "worker.on(:after_fork) { sleep }\n worker\n" }
    program = work(text: application)
    child = eventually { children(program).find { |pid| title(pid).include?("starting") } }
    Process.kill("INT", program.pid)
    assert_predicate status(program), :success?
    assert gone?(child)
  end

  def test_hup_forks_every_process_anew_without_a_gap
    program = work("--worker-count", "2")
    before = eventually { workers.map { |one| one[:pid] }.then { |pids| pids if pids.size == 2 } }
    Process.kill("HUP", program.pid)
    before.each { |pid| eventually { gone?(pid) } }
    eventually { title(program.pid).include?("2 of 2 processes serve") }
    queue.put("pid", jid: "j")
    eventually { client.job("j").state == "completed" }
    refute_includes before, client.job("j").result
  end

  # Only a master is asked for fresh processes: of one process it is an end like any signal's.
  def test_hup_to_a_process_ends_it_and_its_job_goes_elsewhere
    begin_at("process")
    Process.kill("HUP", @target)
    again = held
    refute_includes pids, again.pid
    assert_equal [@affected.first.jid, ["running", 5]], [again.jid, remaining(again.jid)]
    assert_others_go_on
  end

  def test_hup_to_a_single_process_ends_it_and_gives_its_job_back
    queue.put("hold")
    program = work("--run-as-single-process")
    one = held
    Process.kill("HUP", one.pid)
    assert_nil one.ended
    assert_equal Signal.list["HUP"], status(program).termsig
    assert_equal ["waiting", 5], remaining(one.jid)
  end

  def test_an_operator_stops_a_single_process
    queue.put("hold")
    program = work("--run-as-single-process")
    one = held
    assert_equal 1, client.order("*", "stop")
    eventually { title(one.pid).include?("stopping") }
    one.finish
    assert_predicate status(program), :success?
    assert_state "completed", one.jid
  end
end
