# frozen_string_literal: true

module Manyhands
  # Performs one job after another on the threads that call it, and tells the native worker how each ended.
  #
  # Those threads are expected to hold back interrupts except while they block: between the arrival of a job and its
  # handler nothing may be interrupted, or the job would be nobody's until its lease runs out.
  #
  # @api private
  class Performer
    RELEASE = { release: {} }.freeze
    KILLED = { error: { class: "ThreadKilled", message: "the thread was killed while it performed the job" } }.freeze
    UNKNOWN_KIND = { unknown_kind: {} }.freeze
    private_constant :RELEASE, :KILLED, :UNKNOWN_KIND

    # @param native [Native::Worker]
    # @param duties [Duties]
    # @param logger [Logger]
    def initialize(native, duties, logger)
      @unanswered = Unanswered.new(native, keep: duties.hooks.any?(:lock_lost))
      @duties = duties
      @logger = logger
      @dismissed = false
    end

    # From now on the job of a killed thread is given back, and spends no retry: somebody wanted the worker to end.
    def dismiss
      @dismissed = true
    end

    # Performs a job and tells its outcome, whatever happens in the handler.
    #
    # @param job [Job]
    def perform(job)
      outcome = RELEASE
      outcome = Thread.handle_interrupt(Object => :immediate) do
        outcome = KILLED
        outcome_of(job)
      end
    rescue *Raised::SURVIVED => e
      outcome = failed(job, e)
    rescue Exception => e # rubocop:disable Lint/RescueException -- SystemExit: the job hears of it, the thread ends
      outcome = failed(job, e)
      raise
    ensure
      finish(job, outcome)
    end

    # Reports the outcomes that were refused since the last call, to the log and to the lock_lost hooks.
    def report_refused
      @unanswered.take_refused.each do |jid, job, operation, reason|
        @logger.warn { "job #{jid}: #{operation} was refused: #{reason}" }
        tell_hooks(:lock_lost, job, reason) if job
      end
    end

    # Calls the hooks of that name. What they raise is logged.
    #
    # @param name [Symbol]
    # @param about [Object] the job, if it is about one, or the worker; and the rest
    def tell_hooks(name, about, *rest)
      @duties.hooks.tell(name, about, *rest) do |e|
        of_job = " for job #{about.jid}" if about.is_a?(Job)
        @logger.error { "on_#{name} raised#{of_job} #{Raised.line(e)}" }
      end
    end

    private

    def outcome_of(job)
      return UNKNOWN_KIND unless @duties.known?(job.kind)

      tell_hooks(:before_perform, job)
      outcome = performed(job)
      tell_hooks(:after_perform, job)
      outcome
    end

    def performed(job)
      result = @duties.perform(job)
      { complete: job.completion(result) } if job.held? # else the handler has ended it
    rescue Outcome => e
      { e.verb => e.fields }
    end

    def failed(job, exception)
      @logger.warn { "job #{job.jid} (#{job.kind}) raised #{Raised.line(exception)}" }
      tell_hooks(:failure, job, exception)
      described = Raised.describe(exception)
      job.ruled(exception, described) || { error: described }
    end

    def finish(job, outcome)
      return unless job.held?

      outcome = RELEASE if @dismissed && outcome.equal?(KILLED)
      tell(job, outcome)
    rescue Closed
      @logger.warn { "job #{job.jid} (#{job.kind}) ended after its worker: it runs again when its lease runs out" }
    rescue WrongState # the handler has ended it itself and was refused, which is told elsewhere
      job.let_go("refused")
    rescue Error => e # the outcome cannot be kept: a failure group of 300 bytes, for one
      tell(job, failed(job, e))
    end

    def tell(job, outcome)
      verb, fields = outcome.first
      @unanswered.finish(job, %({"#{verb}":#{Wire.object(fields, "job_#{verb}")}}))
      job.let_go("finished")
    end
  end
  private_constant :Performer
end
