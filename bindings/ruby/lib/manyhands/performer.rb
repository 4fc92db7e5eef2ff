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
    private_constant :RELEASE, :KILLED, :UNKNOWN_KIND, :SURVIVED

    # @param native [Native::Worker]
    # @param handlers [Hash{String => Proc}] by kind
    # @param logger [Logger]
    # @param lock_lost [Proc, nil] hears of refused outcomes
    def initialize(native, handlers, logger, lock_lost)
      @unanswered = Unanswered.new(native, keep: !lock_lost.nil?)
      @handlers = handlers
      @logger = logger
      @lock_lost = lock_lost
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
      @unanswered.take_refused.each do |jid, job, operation, reason|
        @logger.warn { "job #{jid}: #{operation} was refused: #{reason}" }
        @lock_lost.call(job, reason) if job
      rescue StandardError => e
        @logger.error { "on_lock_lost raised #{name_of(e.class)} for job #{jid}: #{said(e, :message)}" }
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
      described = { class: class_of(exception), message: said(exception, :message), trace: said(exception, :backtrace) }
      @logger.warn { "job #{job.jid} (#{job.kind}) raised #{name_of(exception.class)}: #{described[:message]}" }
      { error: described }
    end

    # What names the failure group: of our own errors the code, which is the same in every language.
    def class_of(exception)
      exception.is_a?(Error) && exception.code.positive? ? exception.code_name : name_of(exception.class)
    end

    # The name of a class, or of the nearest above it that has one; whatever its own `name` says.
    def name_of(named)
      name = Module.instance_method(:name)
      named = named.superclass until name.bind_call(named)
      name.bind_call(named)
    end

    # What an exception says of itself, as text. Its methods are the handler's own and may raise anything too.
    def said(exception, what)
      text = exception.public_send(what)
      Wire.scrub(text.is_a?(Array) ? text.join("\n") : text)
    rescue *SURVIVED
      "<its #{what} raised>"
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
