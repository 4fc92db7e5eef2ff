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
    # How a process ends in which a handler went on after its timeout.
    STUCK = 70
    private_constant :STUCK

    # @api private
    # @return [Client]
    attr_reader :client
    # @api private
    # @return [Duties]
    attr_reader :duties
    # @api private
    # @return [Logger]
    attr_reader :logger

    # Describes the worker; only checks its arguments. Nothing starts before {#run} or {#next}.
    #
    # @param client [Client] whose namespace it works in
    # @param queues [Array<String>] 1 to 1000 names or patterns, in the order in which they are asked. `mail-*` stands
    #   for the queues there are that match (`*`: any text), by name; `!mail-bulk` takes away what it matches of the
    #   entries before it, or, as the first, of all queues; `@slow` stands for a saved list ({Client#patterns}),
    #   `!@slow` for the opposite of each of its entries. Patterns are followed while the worker runs; saved priorities
    #   come before the order here.
    # @param threads [Integer] handlers at once, 1 to 1000
    # @param strategy [String, nil] "ordered" (the first queue that has a job), "round_robin" (all alike),
    #   "shuffled_round_robin" (all alike, in an order drawn anew each time) or "weighted" (by `weights`). Default
    #   "ordered"
    # @param weights [Hash{String => Integer}, nil] 1 to 1000 by queue or pattern, for "weighted". Default: 1 each
    # @param shutdown_timeout [Numeric, nil] seconds that a stop leaves to running handlers, 0 or more. Default 25
    # @param timeout [Numeric, nil] seconds that a handler may run, 0.001 or more, see {#run}. Default: no limit
    # @param kill_timeout [Numeric, nil] seconds that an interrupted or killed handler has to end, 0 or more. Default 2
    # @param max_jobs [Integer, nil] how many jobs it starts before {#run} ends by itself. Default: no limit
    # @param log [String, nil] "text" or "json": a line on standard error when a job has ended, with `verbose` also when
    #   it starts: time, level, worker, pid, queue, kind, jid, outcome, duration, attempt. Default "off"
    # @param verbose [Boolean, nil]
    # @param statsd [Hash{Symbol => Object}, nil] :host, :port (8125) and :key: per kind counters
    #   `<key>.<kind>.count`, and by outcome, and the timing `<key>.<kind>.time`, over UDP
    # @param logger [Logger] hears of raised exceptions and refused outcomes. Default: warnings on standard error
    # @raise [InvalidArgument] naming a bad or unknown option
    #
    # Source: core/src/worker/options.rs
    def initialize(client, queues:, threads: 1, strategy: nil, weights: nil, shutdown_timeout: nil,
                   timeout: nil, kill_timeout: nil, max_jobs: nil, log: nil, verbose: nil, statsd: nil,
                   logger: Logger.new($stderr, level: Logger::WARN, progname: "manyhands"), **unknown)
      Wire.check_options(unknown, [], nil)
      Wire.refuse("client must be a Manyhands::Client, not #{client.class}", nil) unless client.is_a?(Client)

      @client = client
      @logger = logger
      threads = Wire.integer(threads, "threads", nil)
      shutdown_timeout_ms = shutdown_timeout && Wire.milliseconds(shutdown_timeout, "shutdown_timeout", nil)
      timeout_ms = timeout && Wire.milliseconds(timeout, "timeout", nil, 1..Native::MAX_SPAN_MS)
      @kill_timeout = kill_timeout || 2
      kill_timeout_ms = Wire.milliseconds(@kill_timeout, "kill_timeout", nil)
      spans = { shutdown_timeout_ms:, timeout_ms:, kill_timeout_ms: }
      observers = { log:, verbose:, statsd: }
      @options = { queues:, threads:, strategy:, weights:, language: "ruby", max_jobs:, **observers, **spans }
      @duties = Duties.new
      @watch = Watch.new(logger)
      @performer = nil
      @started = @ended = false
      open
    end

    # @return [String] what others see this worker as: host:pid:random. Changes when a handler is registered
    def name = @native.name

    # @api private
    # @return [Runs, nil] what it performs in {#run}
    def runs = @performer&.runs

    # @api private
    # @return [Array<String>] as they were given
    def queues = @options[:queues]

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
    # Instead of a block it may be an object with `perform(job)`: a class, a module or any other. A class that has it
    # only for its instances gets a new one for each job. One that {Performs} says its kind itself.
    #
    # @param kind [String, Symbol, Performs] 1 to 255 bytes
    # @param handler [#perform, Class, nil]
    # @param timeout [Numeric, nil] seconds that it may run, 0.001 or more; after them {JobInterrupted} is raised in it,
    #   see {#run}. Default: that of {Performs}, else of the worker
    # @param backoff [Backoff, Numeric, Array<Numeric>, nil] how long its jobs wait after an error; {RetryRules} can say
    #   more. Default: that of {Performs}, else 1 s to 1 h, doubling
    # @yieldparam job [Job]
    # @yieldreturn [Object] the job's result
    # @return [self]
    # @raise [InvalidArgument] for a bad kind, without a handler, or with two
    # @raise [WrongState] when the worker has started
    # @example
    #   worker.perform("welcome") { |job| deliver(job.data["to"]) }
    #   worker.perform("resize", Resize)
    #   worker.perform(Welcome) # extends Manyhands::Performs
    def perform(kind, handler = nil, timeout: nil, backoff: nil, &block)
      limits = { timeout:, backoff: }.compact
      if kind.is_a?(Performs)
        handler ||= kind unless block
        limits = { **kind.defaults.slice(:timeout, :backoff), **limits }
        kind = kind.kind
      end
      Wire.refuse("handler and block are both given for #{kind}", nil) if handler && block
      Wire.refuse("perform needs a block", nil) unless handler || block

      check_not_started("a handler for #{kind}")
      @duties.add(kind.to_s, handler || block, **limits) { open }
      self
    end

    # Puts a module around every job that has a handler; the first one registered is the outermost.
    #
    # Its `around_perform(job)` calls `super` for the next module and in the end for the handler, and returns the job's
    # result: that of `super` or another. Without `super` the handler is skipped. Exceptions go outward; {Fail},
    # {Retry} and {Snooze} do too. Each job gets an object of its own, so instance variables are of one run, as is
    # {Job#locals}, which all modules and the handler share.
    #
    # @param middleware [Module] with a public method `around_perform`
    # @return [self]
    # @raise [InvalidArgument] for anything else
    # @raise [WrongState] when the worker has started; and in the module when it calls `super` twice
    # @example
    #   module Connected
    #     def around_perform(job)
    #       job.locals[:db] = DB.checkout
    #       super
    #     ensure
    #       DB.checkin(job.locals[:db])
    #     end
    #   end
    #   worker.use(Connected)
    def use(middleware)
      check_not_started("middleware")
      @duties.middleware.use(middleware)
      self
    end

    # Registers what to call when something happens; of several, in their order. What it raises is logged and changes
    # nothing: who wants to change what happens uses middleware ({#use}).
    #
    # - `:before_perform` (job) before the middleware and the handler, on their thread
    # - `:after_perform` (job) after them, unless they raised an error ({Fail}, {Retry} and {Snooze} are none)
    # - `:failure` (job, exception) when they raised one, or a {JobInterrupted} as they ran too long
    # - `:lock_lost` (job, reason) when the outcome of a performed job was refused, or its handler was interrupted as it
    #   would have been: by then another worker may have performed it. The reason is expired, cancelled, replaced,
    #   finished or unknown; or what the engine said of an outcome that it could not take, such as a result larger than
    #   `max-data`. On the thread of {#run}, one at a time. It is logged too
    # - `:start` (worker) before the first job and `:stop` (worker) after the last, on the thread of {#run}
    #
    # @param hook [Symbol] one of these names
    # @return [self]
    # @raise [InvalidArgument] for another name, or without a block
    # @raise [WrongState] when the worker has started
    # @example
    #   worker.on(:failure) { |job, exception| Errors.report(exception, jid: job.jid) }
    def on(hook, &block)
      check_not_started("a hook")
      @duties.hooks.add(hook, block)
      self
    end

    # The same as `on(:lock_lost)`.
    #
    # @yieldparam job [Job] as it was performed
    # @yieldparam reason [String]
    # @return [self]
    # @see #on
    def on_lock_lost(&) = on(:lock_lost, &)

    # Performs jobs until stopped; then ends well: outcomes told, jobs that had not begun given back.
    #
    # On the main thread signals order it about:
    #
    # - QUIT stops it as {#stop} does: no new jobs, and the `shutdown_timeout` for running handlers
    # - TERM and INT stop it now, also after QUIT: running handlers are interrupted as killed and have the
    #   `kill_timeout` to end; a second one ends the process
    # - USR1 interrupts running handlers as killed; the worker goes on
    # - USR2 takes no new jobs until CONT
    # - TTIN writes every thread's job and backtrace to the log
    #
    # There the process listing shows its queues and what it performs.
    #
    # {JobInterrupted} is raised in a running handler whose lease is lost, within 2 s of the cause; that ran longer than
    # its timeout; or that somebody wants to end. A killed one's job is given back when it has ended, which spends no
    # retry. One that ran too long spends one, failing in the group `<kind>:timeout`; should it go on for the
    # `kill_timeout`, the worker stops as by {#stop} and ends the process with status 70.
    #
    # The thread of a handler that outlasts a stop is killed, and when it is dead the job is given back, which spends no
    # retry. Should its `ensure` parts last longer than the `kill_timeout`, the job is neither completed nor given back,
    # but performed again when its lease runs out, which spends a retry. An exception from outside (Timeout,
    # Thread#kill) ends it at once: handlers are killed, their jobs given back. An outage of Redis does not end it.
    #
    # @return [void]
    # @raise [Closed] when the worker was stopped before
    # @raise [Error] what keeps it from working and cannot pass by itself: {Denied}, {SchemaMismatch}, ...
    # @raise [Unavailable] when outcomes did not reach Redis before the end; their jobs run again
    # @raise [SystemExit] when a handler called `exit`, or went on after its timeout
    #
    # Source: core/src/worker/mod.rs
    def run
      raise Closed.new("the worker was stopped; make another one", operation: "worker_run") if @ended

      begin_work
      performer = @performer = Performer.new(@native, @duties, @logger)
      crew = Crew.new(performer) { take(nil) }
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

    def work(crew, performer)
      performer.tell_hooks(:start, self)
      crew.hire(@options[:threads])
      Title.during(queues, @options[:threads]) do |title|
        @watch.over(crew, performer, @native, title) { stop }
      end
    end

    # What a signal says. Between any two steps of the main thread, so it takes no lock of Ruby's.
    def obey(signal)
      case signal
      when "QUIT" then stop
      when "TERM", "INT"
        stop_within(@kill_timeout)
        @native.kill_running
      when "USR1" then @native.kill_running
      when "USR2" then @native.pause
      when "CONT" then @native.resume
      when "TTIN" then @watch.dump_soon
      end
    end

    def stop_within(grace)
      @watch.end_within(grace)
      @native.quiet # takes no lock of Ruby's either
    end

    # The native worker knows its kinds from the start; until it is used, another one may take its place.
    def open
      options = { **@options, kinds: @duties.kinds, timeouts: @duties.timeouts }.compact
      @native = Native::Worker.open(@client.native, Wire.object(options, nil))
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

    def check_not_started(what)
      raise WrongState, "the worker has started: #{what} comes too late" if @started
    end

    # Leaves no thread behind that can be ended.
    def dismiss(crew, performer)
      @ended = true
      performer.dismiss
      crew.kill(@kill_timeout)
      @native.stop(0)
    ensure # also when not all outcomes could be told
      performer.report_refused
      performer.tell_hooks(:stop, self)
      end_process(crew) if @watch.stuck
    end

    # A thread that nothing ends would keep Ruby from ending.
    def end_process(crew)
      exit(STUCK) if crew.gone?

      [$stdout, $stderr].each(&:flush)
      exit!(STUCK)
    end
  end
end
