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
    # The strategy of a function, and how often it is called while no job comes, in milliseconds.
    CALLBACK = "callback"
    CHOOSE_AFTER = 1000
    # The same while there is no queue: a worker on patterns looks up what they stand for.
    LOOK_AGAIN = 50
    # What `interval` may be, in milliseconds.
    INTERVALS = (10..86_400_000)
    private_constant :CALLBACK, :CHOOSE_AFTER, :LOOK_AGAIN, :INTERVALS

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
    # @param strategy [String, #call, nil] "ordered" (the first queue that has a job), "round_robin",
    #   "shuffled_round_robin", "weighted" (see `weights`) or a function: it is given the names of the queues that
    #   are served, and returns those to ask next, in their order. It is called on the thread that is about to take a
    #   job, and each second that none comes; what it raises is logged, and the order stays. Default "ordered"
    # @param weights [Hash{String => Integer}, nil] for "weighted", what share of the jobs a queue has, by its name or a
    #   pattern: 1 to 1000. Default 1
    # @param shutdown_timeout [Numeric, nil] seconds that a stop leaves to running handlers, 0 or more. Default 25
    # @param timeout [Numeric, nil] seconds that a handler may run, 0.001 or more, see {#run}. Default: no limit. What a
    #   put says of its job ({Queue#put}) comes first, then what its kind says ({#perform})
    # @param kill_timeout [Numeric, nil] seconds that an interrupted or killed handler has to end, 0 or more. Default 2
    # @param interval [Numeric, nil] seconds that it waits at most, when it is idle, before it looks again for what
    #   nobody told it, 0.01 to 86400. A put, a due time, a freed throttle is told at once. Default 2
    # @param max_jobs [Integer, nil] how many jobs it starts before {#run} ends by itself. Default 0: no limit
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
                   timeout: nil, kill_timeout: nil, interval: nil, max_jobs: nil, log: nil, verbose: nil, statsd: nil,
                   logger: Logger.new($stderr, level: Logger::WARN, progname: "manyhands"), **unknown)
      Wire.check_options(unknown, [], nil)
      Wire.check_class(client, "client", Client)
      unless %i[warn error].all? { |method| logger.respond_to?(method) }
        Wire.refuse("logger must have the methods of a Logger, not be #{logger.inspect}", nil)
      end
      Wire.check_class(weights, "weights", Hash) if weights
      Wire.check_class(statsd, "statsd", Hash) if statsd
      @client = client
      @logger = logger
      threads = Wire.integer(threads, "threads", nil)
      spans = { shutdown_timeout_ms: Wire.span(shutdown_timeout, "shutdown_timeout", nil),
                timeout_ms: Wire.span(timeout, "timeout", nil, Wire::TIMEOUTS),
                kill_timeout_ms: Wire.span(kill_timeout.nil? ? 2 : kill_timeout, "kill_timeout", nil),
                interval_ms: Wire.span(interval, "interval", nil, INTERVALS) }
      @choose = strategy if strategy.respond_to?(:call)
      strategy = CALLBACK if @choose
      named = { queues:, threads:, strategy:, weights:, max_jobs:, log:, verbose:, statsd: }
      @options = { language: "ruby", **named, **spans }
      @duties = Duties.new
      @watch = Watch.new(logger, method(:obey))
      @performer = nil
      @running = Mutex.new
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

    # @api private
    # @return [Array<String>] what they stand for now. Releases the GVL
    def look_up = @native.look_up

    # Takes a command's settings, which win over what the program said.
    #
    # @api private
    # @param options [Hash{Symbol => Object}] as the native worker has them
    # @return [void]
    # @raise [InvalidArgument] naming the option
    def override(options)
      check_not_started("a setting")
      @options = { **@options, **options }
      @options.delete(:weights) unless @options[:strategy].to_s == "weighted"
      open_again
    end

    # @api private
    # @return [Hash{String => Integer}] how long its process may take to end, in milliseconds, by the command's flags
    def ending_times
      { "shutdown-timeout" => @native.shutdown_timeout, "kill-timeout" => @options[:kill_timeout_ms] }
    end

    # No worker may begin before a command's program is loaded.
    #
    # @api private
    def self.while_loading
      @loading = true
      yield
    ensure
      @loading = false
    end

    # The same while the block says so.
    #
    # @api private
    def self.loading_when(&block) = @loading_when = block

    # @api private
    def self.loading? = @loading || @loading_when&.call

    # @return [String]
    def inspect = "#<#{self.class} #{name}>"

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
      timeout_ms = Wire.span(timeout, "timeout", "worker_next")
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

    # The native worker knows its kinds from the start; until it is used, another one may take its place.
    def open
      if @options[:strategy].to_s == CALLBACK && !@choose
        Wire.refuse("strategy callback needs a function, and there is none", nil)
      end
      options = { **@options, kinds: @duties.kinds, timeouts: @duties.timeouts }.compact
      @native = Native::Worker.open(@client.native, Wire.object(options, nil))
      @holder = WorkerHolder.new(@native)
      @pid = Process.pid
    end

    # What it was told stays.
    def open_again
      paused = @pid == Process.pid && paused?
      open
      pause if paused
    end

    def check_loaded
      return unless Worker.loading?

      message = "the command runs the worker itself: the application only exports it"
      raise WrongState.new(message, operation: "worker_run")
    end

    # A worker made before a fork may be used in the child, if it was not used before.
    def begin_work
      check_loaded unless @started
      open if !@started && @pid != Process.pid
      @started = true
    end

    def take(timeout_ms)
      fields = @choose && @options[:strategy] == CALLBACK ? chosen(timeout_ms) : @native.next(timeout_ms)
      Job.new(fields, @holder, @client.native) if fields
    end

    # What comes from the queues that the program chooses.
    def chosen(timeout_ms)
      loop do
        queues = @native.serving
        choose(queues) unless queues.empty?
        span = [queues.empty? ? LOOK_AGAIN : CHOOSE_AFTER, *timeout_ms].min
        fields = @native.next(span)
        return fields unless fields.nil?
        return if timeout_ms && (timeout_ms -= span) <= 0
      end
    end

    def choose(queues)
      @native.set_order(@choose.call(queues).map(&:to_s))
    rescue Raised::Survived => e
      @logger.error { "strategy raised #{Raised.line(e)}" }
    end
  end
end
