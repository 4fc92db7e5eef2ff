# frozen_string_literal: true

module Manyhands
  # Which thread performs which job, so that an interrupt finds its handler and nothing else.
  #
  # @api private
  class Runs
    # One run of a job; `reasons` of the interrupts that it was sent; whether its kind is `known`, so that hooks hear
    # of it; the exception that is its `failure`, if any.
    Run = Struct.new(:job, :thread, :began, :reasons, :known, :failure)
    # Most interrupts that are kept for a job which was handed out, but whose thread has not come here yet.
    EARLY = 1000
    HELD_BACK = { JobInterrupted => :never }.freeze
    LET_IN = { JobInterrupted => :immediate }.freeze
    NEVER = { Object => :never }.freeze
    NONE = [].freeze
    private_constant :Run, :EARLY, :HELD_BACK, :LET_IN, :NEVER, :NONE

    def initialize
      @runs = {}
      @early = {}
      @lock = Mutex.new
    end

    # A job that can be interrupted wherever the block lets interrupts in, and nowhere else. None is left over when the
    # block has ended.
    #
    # @param job [Job]
    # @yieldparam run [Run]
    def during(job)
      Thread.handle_interrupt(HELD_BACK) do
        run = Run.new(job, Thread.current, now, NONE)
        key = [job.jid, job.token].freeze
        enter(key, run)
        yield run
      ensure
        leave(key)
        swallow(run.reasons.size)
      end
    end

    # Tells a job's handler to end, if it runs or is about to.
    #
    # @param jid [String]
    # @param token [String]
    # @param reason [String]
    def interrupt(jid, token, reason)
      Thread.handle_interrupt(NEVER) do
        @lock.synchronize do
          run = @runs[[jid, token]]
          next send_to(run, reason) if run

          @early[[jid, token]] = reason
          @early.shift if @early.size > EARLY # of runs that have ended
        end
      end
    end

    # @return [Array<Run>] those there are now. Takes no lock
    def list = @runs.values

    private

    def send_to(run, reason)
      run.reasons = [*run.reasons, reason].freeze
      run.thread.raise(JobInterrupted.new(run.job.jid, reason))
    end

    # A thread that dies while it has the lock would leave its job in nobody's hands.
    def enter(key, run)
      Thread.handle_interrupt(NEVER) do
        @lock.synchronize do
          @runs[key] = run
          (early = @early.delete(key)) && send_to(run, early)
        end
      end
    end

    def leave(key)
      Thread.handle_interrupt(NEVER) { @lock.synchronize { @runs.delete(key) } }
    end

    # Interrupts that came too late for the handler. No more can come: its run is not listed any longer.
    #
    # (Thread.pending_interrupt? knows classes only; asked about a pending exception object Ruby 3.1 reads wild memory.)
    def swallow(count)
      return if count.zero?

      Thread.handle_interrupt(NEVER) do
        count.times do
          Thread.handle_interrupt(LET_IN) { Thread.pass }
        rescue JobInterrupted
          nil
        end
      end
    end

    def now = Process.clock_gettime(Process::CLOCK_MONOTONIC)
  end
  private_constant :Runs
end
