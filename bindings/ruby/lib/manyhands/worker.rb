# frozen_string_literal: true

require "logger"

module Manyhands
  # A process's share of the work: reserves jobs, performs them, and tells the engine what became of them.
  #
  # Its leases are renewed by a native thread, whatever the handlers do. A program that wants its own loop takes jobs
  # with {#next}, ends them with the methods of {Job}, and calls {#close} at the end.
  #
  # @example
  #   worker = Manyhands::Worker.new(client, queues: ["mail"], threads: 4)
  #   worker.perform("welcome") { |job| deliver(job.data["to"]) }
  #   worker.run
  #
  # Source: core/src/worker/
  class Worker
    # Seconds between two looks for refused outcomes and for a wish to stop.
    LOOK = 0.1
    # Seconds that TERM and INT leave to running handlers, and that a killed handler has for its `ensure` parts.
    KILL = 2
    private_constant :LOOK, :KILL

    # Describes the worker; only checks its arguments. Nothing starts before {#run} or {#next}.
    #
    # @param client [Client] whose namespace it works in
    # @param queues [Array<String>] 1 to 1000 names or patterns, in the order in which they are asked. `mail-*` stands
    #   for the queues there are that match (`*`: any text), by name; `!mail-bulk` takes away what it matches of the
    #   entries before it, or, as the first, of all queues; `@slow` stands for a saved list ({Client#patterns}),
    #   `!@slow` for the opposite of each of its entries. Patterns are followed while the worker runs; saved priorities
    #   come before the order here.
    # @param threads [Integer] handlers at once, 1 to 1000
    # @param strategy [String, nil] "ordered" (the first queue that has a job) or "round_robin". Default "ordered"
    # @param shutdown_timeout [Numeric, nil] seconds that a stop leaves to running handlers, 0 or more. Default 25
    # @param logger [Logger] hears of raised exceptions and refused outcomes. Default: warnings on standard error
    # @raise [InvalidArgument] naming a bad or unknown option
    #
    # Source: core/src/worker/options.rs
    def initialize(client, queues:, threads: 1, strategy: nil, shutdown_timeout: nil,
                   logger: Logger.new($stderr, level: Logger::WARN, progname: "manyhands"), **unknown)
      Wire.check_options(unknown, [], nil)
      Wire.refuse("client must be a Manyhands::Client, not #{client.class}", nil) unless client.is_a?(Client)

      @client = client
      @logger = logger
      threads = Wire.integer(threads, "threads", nil)
      shutdown_timeout_ms = shutdown_timeout && Wire.milliseconds(shutdown_timeout, "shutdown_timeout", nil)
      @options = { queues:, threads:, strategy:, language: "ruby", shutdown_timeout_ms: }
      @handlers = {}
      @lock_lost = nil
      @started = @stopping = @ended = false
      @deadline = Float::INFINITY
      open
    end

    # @return [String] what others see this worker as: host:pid:random. Changes when a handler is registered
    def name = @native.name

    # @return [String]
    def inspect = "#<#{self.class} #{name}>"

    # Registers the handler of a kind. Registering it again replaces the handler.
    #
    # The block's value becomes the job's result, so it must be something JSON can say (end with nil when there is
    # none), and the job goes on along its route. Raising {Fail}, {Retry} or {Snooze} says otherwise. Any other
    # exception runs the job again with growing delays until its retries are spent; then it fails in the group
    # `<kind>:<exception class>`, after one of Manyhands' own errors in `<kind>:<name of its code>`: INVALID_ARGUMENT
    # for a value that JSON cannot say. A handler that has ended its job itself (`job.complete`, `job.fail`, ...) has
    # nothing more to say. Jobs of a kind without a handler are left to workers that have one; when there is none they
    # fail in the group `unknown-kind:<kind>`.
    #
    # @param kind [String, Symbol] 1 to 255 bytes
    # @yieldparam job [Job]
    # @yieldreturn [Object] the job's result
    # @return [self]
    # @raise [InvalidArgument] for a bad kind, or without a block
    # @raise [WrongState] when the worker has started
    def perform(kind, &handler)
      raise InvalidArgument, "perform needs a block" unless handler
      raise WrongState, "the worker has started: a handler for #{kind} comes too late" if @started

      before = @handlers
      @handlers = { **before, kind.to_s => handler }
      open
      self
    rescue InvalidArgument
      @handlers = before if before
      raise
    end

    # Registers what to call when the outcome of a performed job was refused: by then another worker may have performed
    # it. Called on the thread of {#run}, one at a time; what it raises is logged. The refusal is logged too.
    #
    # @yieldparam job [Job] as it was performed
    # @yieldparam reason [String] expired, cancelled, replaced, finished or unknown; or what the engine said of an
    #   outcome that it could not take, such as a result larger than `max-data`
    # @return [self]
    # @raise [InvalidArgument] without a block
    def on_lock_lost(&block)
      raise InvalidArgument, "on_lock_lost needs a block" unless block

      @lock_lost = block
      self
    end

    # Performs jobs until stopped; then ends well: outcomes told, jobs that had not begun given back.
    #
    # On the main thread QUIT stops it as {#stop} does: no new jobs, and the `shutdown_timeout` for running handlers.
    # TERM and INT leave them 2 s, also when they come after QUIT; a second TERM or INT ends the process now. The thread
    # of a handler that outlasts its time is killed, and when it is dead the job is given back, which spends no retry.
    # Should its `ensure` parts last more than 2 s, the job is neither completed nor given back, but performed again
    # when its lease runs out, which spends a retry. An exception from outside (Timeout, Thread#kill) ends it at once:
    # handlers are killed, their jobs given back. An outage of Redis does not end it.
    #
    # @return [void]
    # @raise [Closed] when the worker was stopped before
    # @raise [Error] what keeps it from working and cannot pass by itself: {Denied}, {SchemaMismatch}, ...
    # @raise [Unavailable] when outcomes did not reach Redis before the end; their jobs run again
    # @raise [SystemExit] when a handler called `exit`
    #
    # Source: core/src/worker/mod.rs
    def run
      raise Closed.new("the worker was stopped; make another one", operation: "worker_run") if @ended

      begin_work
      performer = Performer.new(@native, @handlers, @logger, @lock_lost)
      crew = []
      # Signals first: one that came while threads are hired would be an exception that leaves them behind.
      StopSignals.during(method(:stop_by_signal)) do
        hire(crew, performer)
        supervise(crew, performer)
      end
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

    # Waits for a job and takes it. For programs that do not use {#run}. Releases the GVL.
    #
    # Its lease is renewed until the job is ended with {Job#complete}, {Job#fail}, ... or forgotten (garbage collected).
    # An interrupt (Thread#kill, Timeout, a signal) ends the wait and loses no job.
    #
    # @param timeout [Numeric, nil] seconds to wait, 0 or more. nil: until there is a job or the worker is closed
    # @return [Job, nil] nil when the time is over or the worker is closed
    # @raise [Closed] in a forked child
    # @example
    #   while (job = worker.next)
    #     job.complete(work_on(job.data))
    #   end
    #
    # Source: core/src/worker/mod.rs
    def next(timeout: nil)
      begin_work
      timeout_ms = timeout && Wire.milliseconds(timeout, "timeout", "worker_next")
      Thread.handle_interrupt(Object => :on_blocking) do
        job = take(timeout_ms)
        job && @holder.watch(job)
      end
    end

    # Ends: no new jobs, outcomes told, jobs that had not begun given back, native threads stopped. {#run} does this by
    # itself. Calling it again does nothing. Releases the GVL.
    #
    # @param timeout [Numeric, nil] seconds to wait for jobs that were taken and not ended, 0 or more; the lease of
    #   those that remain runs out and another worker gets them. Default: the `shutdown_timeout`
    # @return [void]
    def close(timeout: nil)
      timeout_ms = timeout ? Wire.milliseconds(timeout, "timeout", "worker_stop") : @native.shutdown_timeout
      @ended = true
      @native.stop(timeout_ms)
      nil
    end

    private

    def stop_by_signal(urgent)
      urgent ? stop_within(KILL) : stop
    end

    # A later call can only shorten the time.
    def stop_within(grace)
      @deadline = [@deadline, now + grace].min
      @stopping = true
      @native.quiet # takes no lock of Ruby's, so that a signal handler may call it
    end

    # The native worker knows its kinds from the start; until it is used, another one may take its place.
    def open
      @native = Native::Worker.open(@client.native, Wire.object({ **@options, kinds: @handlers.keys }.compact, nil))
      @holder = WorkerHolder.new(@native)
      @pid = Process.pid
    end

    # A worker made before a fork may be used in the child, if it was not used before.
    def begin_work
      open if !@started && @pid != Process.pid
      @started = true
    end

    def take(timeout_ms)
      fields = @native.next(timeout_ms)
      fields && Job.of_reserved(fields, @holder, @client.native)
    end

    # The threads that perform. They hold interrupts back except while they wait for a job or run a handler.
    def hire(crew, performer)
      Thread.handle_interrupt(Object => :on_blocking) do
        @options[:threads].times do |number|
          crew << Thread.new do
            Thread.current.name = "manyhands-#{number}"
            Thread.current.report_on_exception = false # the join in `look` raises it
            while (job = take(nil))
              performer.perform(job)
            end
          end
        end
      end
    end

    # Until somebody wants to stop or a thread has ended; then until all have, or the time for that is over.
    def supervise(crew, performer)
      look(crew, performer) until @stopping || !crew.all?(&:alive?)
      stop
      look(crew, performer) while crew.any?(&:alive?) && now < @deadline
    end

    def look(crew, performer)
      crew.find(&:alive?)&.join(LOOK)
      crew.each { |thread| thread.join unless thread.alive? }
      performer.report_refused
    end

    # Leaves no thread behind that can be ended.
    def dismiss(crew, performer)
      @ended = true
      performer.dismiss
      late = crew.select(&:alive?).each(&:kill)
      deadline = now + KILL
      late.each { |thread| thread.join([deadline - now, 0].max) }
      @native.stop(0)
    ensure # also when not all outcomes could be told
      performer.report_refused
    end

    def now = Process.clock_gettime(Process::CLOCK_MONOTONIC)
  end
end
