# frozen_string_literal: true

module Manyhands
  # Which thread performs which job, so that an interrupt finds its handler and nothing else.
  #
  # @api private
  class Runs
    # One run of a job; `reasons` of the interrupts that it was sent; the `handler` of its kind, without which no hook
    # hears of it; the exception that is its `failure`, if any.
    Run = Struct.new(:job, :thread, :began, :reasons, :handler, :failure)
    # Most interrupts that are kept for a job which was handed out, but whose thread has not come here yet, and for how
    # many seconds: it does so within moments.
    EARLY = 1000
    EARLY_FOR = 10
    # What threads hold back that have runs.
    HELD_BACK = { JobInterrupted => :never, Object => :on_blocking }.freeze
    LET_IN = { JobInterrupted => :immediate }.freeze
    NEVER = { Object => :never }.freeze
    NONE = [].freeze
    private_constant :Run, :EARLY, :EARLY_FOR, :LET_IN, :NEVER, :NONE

    def initialize
      @runs = {}.compare_by_identity
      @early = {}
      @lock = Mutex.new
    end

    # A job that can be interrupted wherever the block lets interrupts in, and nowhere else: its thread has {HELD_BACK}
    # them. None is left over when the block has ended.
    #
    # @param job [Job]
    # @yieldparam run [Run]
    def during(job)
      run = Run.new(job, Thread.current, now, NONE)
      enter(run)
      yield run
    ensure
      leave(run)
      swallow(run.reasons.size)
    end

    # Tells a job's handler to end, if it runs or is about to.
    #
    # @param jid [String]
    # @param token [String]
    # @param reason [String]
    def interrupt(jid, token, reason)
      alone do
        run = list.find { |one| one.job.jid == jid && one.job.token == token }
        next send_to(run, reason) if run

        @early[[jid, token]] = [reason, now]
        @early.shift if @early.size > EARLY
      end
    end

    # Forgets interrupts that no run has come for: theirs have ended, and each further run would look for its own.
    def forget
      return if @early.empty?

      alone do
        oldest = now - EARLY_FOR
        @early.delete_if { |_, (_, at)| at < oldest }
      end
    end

    # @return [Array<Run>] those there are now. Takes no lock
    def list = @runs.keys

    private

    def send_to(run, reason)
      run.reasons = [*run.reasons, reason].freeze
      run.thread.raise(JobInterrupted.new(run.job.jid, reason))
    end

    # Only who interrupts has the lock, while it looks at the list and until it has sent: if it has not seen what was
    # changed here, it is waited for, or it had finished before. Seldom does anybody.
    def enter(run)
      @runs[run] = true
      return unless @lock.locked? || !@early.empty?

      alone do
        reason, = @early.delete([run.job.jid, run.job.token])
        send_to(run, reason) if reason
      end
    end

    def leave(run)
      @runs.delete(run)
      alone { nil } if @lock.locked?
    end

    # A thread that dies while it has the lock, or waits for it, would leave its job in nobody's hands.
    def alone(&) = Thread.handle_interrupt(NEVER) { @lock.synchronize(&) }

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
