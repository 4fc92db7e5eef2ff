# frozen_string_literal: true

module Manyhands
  # How a worker performs jobs by itself, and ends.
  class Worker
    # How a process ends in which a handler went on after its timeout.
    STUCK = 70
    private_constant :STUCK

    # Performs jobs until stopped; then ends well: outcomes told, jobs that had not begun given back.
    #
    # On the main thread signals order it about:
    #
    # - QUIT stops it as {#stop} does: no new jobs, and the `shutdown_timeout` for running handlers
    # - TERM and INT stop it now, also after QUIT: running handlers are interrupted as killed and have the
    #   `kill_timeout` to end; a second one ends the process and gives back what runs, when all threads can be held
    # - USR1 interrupts running handlers as killed; the worker goes on
    # - USR2 takes no new jobs until CONT
    # - TTIN writes every thread's job and backtrace to the log
    #
    # There the process listing shows its queues and what it performs.
    #
    # {JobInterrupted} is raised in a running handler whose lease is lost, within 2 s of the cause; that ran longer than
    # its timeout; or that somebody wants to end. A killed one's job is given back when it has ended, which spends no
    # retry. One that ran too long spends one, failing in the group `<kind>:JobInterrupted`; should it go on for the
    # `kill_timeout`, the worker stops as by {#stop} and ends the process with status 70.
    #
    # The thread of a handler that outlasts a stop is killed, and when it is dead the job is given back, which spends no
    # retry. Should its `ensure` parts last longer than the `kill_timeout`, {#run} returns before that, and nobody
    # renews the lease any more: a job whose process is killed meanwhile is performed again when that has run out, which
    # spends a retry. An exception from outside (Timeout,
    # Thread#kill) ends it at once: handlers are killed, their jobs given back. An outage of Redis does not end it.
    #
    # @return [void]
    # @raise [WrongState] while it runs already
    # @raise [Closed] when the worker was stopped before
    # @raise [Error] what keeps it from working and cannot pass by itself: {Denied}, {SchemaMismatch}, ...
    # @raise [Unavailable] when outcomes did not reach Redis before the end; their jobs run again
    # @raise [SystemExit] when a handler called `exit`, or went on after its timeout
    #
    # Source: core/src/worker/mod.rs
    def run
      raise Closed.new("the worker was stopped; make another one", operation: "worker_run") if @ended

      begin_work
      refuse_second_run
      performer = @performer = Performer.new(@native, @duties, @logger)
      crew = Crew.new(performer, @watch) { take(nil) }
      # Signals first: one that came while threads are hired would be an exception that leaves them behind.
      Signals.during(method(:obey)) { work(crew, performer) }
      nil
    ensure
      Thread.handle_interrupt(Object => :never) { dismiss(crew, performer) } if crew
    end

    # Asks {#run} to end: no new jobs, `shutdown_timeout` seconds for running handlers. Returns at once. May be called
    # from any thread, from a handler and from a signal handler. Before {#run} it lets that end at once.
    #
    # @return [void]
    def stop
      stop_within(Wire.seconds(@native.shutdown_timeout))
    end

    # Takes no new jobs until {#resume}; running ones go on, those that had not begun are given back. May be called from
    # any thread, from a handler and from a signal handler.
    #
    # @return [void]
    def pause = @native.pause

    # Takes jobs again after {#pause}.
    #
    # @return [void]
    def resume = @native.resume

    # @return [Boolean] whether it takes no jobs until {#resume}
    def paused? = @native.paused?

    # Interrupts all running handlers with {JobInterrupted}; their jobs are given back when they have ended, and spend
    # no retry. Returns at once; the worker goes on. May be called as {#pause}.
    #
    # @return [void]
    def kill_running = @native.kill_running

    private

    # The lock is held to the end of the worker: one that has run is closed. In a forked child the native half says so.
    def refuse_second_run
      return if @running.try_lock || @pid != Process.pid

      raise WrongState.new("the worker runs already", operation: "worker_run")
    end

    def work(crew, performer)
      # Then a handler that holds the GVL for ever does not outlast signals either.
      @native.watch_host if Thread.current == Thread.main
      performer.tell_hooks(:start, self)
      crew.hire(@options[:threads])
      Title.during(queues, @options[:threads]) do |title|
        @watch.over(crew, performer, @native, title) { stop }
      end
    ensure
      @native.unwatch_host
    end

    # What a signal says. Between any two steps of the main thread, so it takes no lock of Ruby's.
    def obey(signal)
      case signal
      when "QUIT" then stop
      when "TERM", "INT"
        stop_within(kill_timeout)
        @native.kill_running
      when "USR1" then @native.kill_running
      when "USR2" then @native.pause
      when "CONT" then @native.resume
      when "TTIN" then @watch.dump_soon
      end
    end

    def kill_timeout = Wire.seconds(@options[:kill_timeout_ms])

    def stop_within(grace)
      @watch.end_within(grace)
      @native.quiet # takes no lock of Ruby's either
    end

    # Leaves no thread behind that can be ended.
    def dismiss(crew, performer)
      @ended = true
      performer.dismiss
      crew.kill(kill_timeout)
      @native.stop(0)
    ensure # also when not all outcomes could be told
      performer.report_refused
      performer.tell_hooks(:stop, self)
      end_process(crew) if @watch.stuck
    end

    # A thread that nothing ends would keep Ruby from ending. What it has begun is given back, and spends a retry.
    def end_process(crew)
      exit(STUCK) if crew.gone?

      [$stdout, $stderr].each(&:flush)
      Native.end_process(STUCK)
    end
  end
end
