# frozen_string_literal: true

module Manyhands
  # What the thread of {Worker#run} does while others perform: it carries interrupts to handlers, hands on what master
  # and operators say, tells of refused outcomes, and knows when to end.
  #
  # @api private
  class Watch
    # Longest time between two looks, in seconds: while handlers run, or the end has begun; and while nothing happens
    # but what rings. What nobody rings for, such as a master's TTIN, waits for so long.
    LOOK = 0.1
    IDLE = 1
    private_constant :LOOK, :IDLE

    # @return [Boolean] whether a handler went on after its timeout: the process has to end
    attr_reader :stuck

    # @param logger [Logger]
    # @param obey [Method] does what a signal says
    def initialize(logger, obey)
      @logger = logger
      @obey = obey
      @deadline = Float::INFINITY
      @stopping = @stuck = @dump = @idle = false
    end

    # The end is to come within so many seconds. A later call can only shorten the time. Takes no lock.
    def end_within(seconds)
      @deadline = [@deadline, now + seconds].min
      @stopping = true
      stir
    end

    # What every thread does is to be written to the log soon. Takes no lock.
    def dump_soon
      @dump = true
      stir
    end

    # There is something to look at. Takes no lock.
    def stir = @bell&.ring

    # The same when a handler is about to run, which nobody looks at as long as none does.
    def stir_idle
      @bell&.ring if @idle
    end

    # Until somebody wants to stop or a thread has ended; then until all have, or the time for that is over.
    #
    # @param crew [Crew]
    # @param performer [Performer]
    # @param native [Native::Worker]
    # @param title [Title, nil]
    # @yield to let the end begin
    def over(crew, performer, native, title)
      @bell = Bell.new
      look(crew, performer, native, title) until @stopping || !crew.complete? || stuck?(native)
      yield
      look(crew, performer, native, title) until crew.gone? || now >= @deadline || only_stuck?(crew, performer, native)
    ensure
      @bell&.close
    end

    private

    def look(crew, performer, native, title)
      listen(native)
      native.take_interrupts.each { |jid, token, reason| performer.runs.interrupt(jid, token, reason) }
      performer.runs.forget
      dump(performer.runs) if @dump
      # Whoever begins after this rings; what ended before it is reported now.
      @idle = true
      @idle = idle?(performer, native)
      title&.show(performer.runs.list, state(native))
      performer.report_refused
      @bell.wait(@idle ? IDLE : LOOK)
      crew.look
    ensure
      @idle = false
    end

    def idle?(performer, native)
      !@stopping && performer.runs.list.empty? && native.running.zero? && native.unanswered.zero?
    end

    # The native worker has obeyed as far as it can.
    def listen(native)
      while (signal = native.take_signal)
        @obey.call(signal)
      end
      @obey.call("QUIT") if native.ordered == "stop" && !@stopping
    end

    def state(native)
      return "stopping" if @stopping

      "paused" if native.paused?
    end

    def stuck?(native) = @stuck ||= native.stuck?

    # Nobody is left to wait for.
    def only_stuck?(crew, performer, native)
      runs = performer.runs.list
      stuck?(native) && runs.size == crew.size && runs.all? { |run| run.reasons.include?(Performer::TIMEOUT) }
    end

    def dump(runs)
      @dump = false
      jobs = runs.list.to_h { |run| [run.thread, run] }
      Thread.list.each do |thread|
        run = jobs[thread]
        work = run && " performs #{run.job.kind} #{run.job.jid} for #{(now - run.began).round(1)} s"
        @logger.warn { ["thread #{thread.name || thread.inspect}#{work}:", *thread.backtrace].join("\n  ") }
      end
    end

    def now = Process.clock_gettime(Process::CLOCK_MONOTONIC)
  end
  private_constant :Watch
end
