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
    # What ends a handler but not its thread. SystemExit and signals end both.
    SURVIVED = [StandardError, ScriptError, NoMemoryError, SystemStackError].freeze
    # Finished jobs remembered for {#refused}: as many as the core remembers refusals.
    MOST_FINISHED = 1000
    private_constant :RELEASE, :KILLED, :UNKNOWN_KIND, :SURVIVED, :MOST_FINISHED

    # @param native [Native::Worker]
    # @param handlers [Hash{String => Proc}] by kind
    # @param logger [Logger]
    # @param lock_lost [Proc, nil] hears of refused outcomes
    def initialize(native, handlers, logger, lock_lost)
      @native = native
      @handlers = handlers
      @logger = logger
      @lock_lost = lock_lost
      @finished = {}
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
    rescue *SURVIVED => e
      outcome = failed(job, e)
    rescue Exception => e # rubocop:disable Lint/RescueException -- SystemExit: the job hears of it, the thread ends
      outcome = failed(job, e)
      raise
    ensure
      finish(job, outcome)
    end

    # Reports the outcomes that were refused since the last call, to the log and to the block of {Worker#on_lock_lost}.
    def report_refused
      @native.take_refused.each do |jid, token, operation, reason|
        @logger.warn { "job #{jid}: #{operation} was refused: #{reason}" }
        job = @finished.delete([jid, token])
        @lock_lost.call(job, reason) if job
      rescue StandardError => e
        @logger.error { "on_lock_lost raised #{e.class} for job #{jid}: #{e.message}" }
      end
    end

    private

    def outcome_of(job)
      handler = @handlers[job.kind] or return UNKNOWN_KIND
      result = handler.call(job)
      { complete: job.completion(result) } if job.held? # else the handler has ended it
    rescue Outcome => e
      { e.verb => e.fields }
    end

    def failed(job, exception)
      @logger.warn { "job #{job.jid} (#{job.kind}) raised #{exception.class}: #{exception.message}" }
      trace = (exception.backtrace || []).join("\n")
      { error: { class: class_of(exception), message: Wire.scrub(exception.message), trace: Wire.scrub(trace) } }
    end

    # What names the failure group: of our own errors the code, which is the same in every language.
    def class_of(exception)
      return exception.code_name if exception.is_a?(Error) && exception.code.positive?

      named = exception.class
      named = named.superclass until named.name
      named.name
    end

    def finish(job, outcome)
      return unless job.held?

      outcome = RELEASE if @dismissed && outcome.equal?(KILLED)
      @finished.shift if @finished.size >= MOST_FINISHED
      @finished[[job.jid, job.token]] = job if @lock_lost
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
      @native.finish(job.jid, job.token, %({"#{verb}":#{Wire.object(fields, "job_#{verb}")}}))
      job.let_go("finished")
    end
  end
  private_constant :Performer
end
