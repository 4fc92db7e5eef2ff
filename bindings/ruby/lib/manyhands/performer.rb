# frozen_string_literal: true

module Manyhands
  # Performs one job after another on the threads that call it, and tells the native worker how each ended.
  #
  # Those threads are expected to hold back interrupts as {Runs::HELD_BACK} says: between the arrival of a job and its
  # handler nothing may be interrupted, or the job would be nobody's until its lease runs out.
  #
  # @api private
  class Performer
    # What most runs end with: nothing is told but the result, as JSON text.
    Completed = Struct.new(:result)
    DONE = Completed.new.freeze
    RELEASE = { release: {} }.freeze
    KILLED = { class: "ThreadKilled", message: "the thread was killed while it performed the job", trace: "" }.freeze
    UNKNOWN_KIND = { unknown_kind: {} }.freeze
    # The class of the error after a timeout, which names the failure group in every language.
    INTERRUPTED = "JobInterrupted"
    # Reasons of interrupts that leave the lease as it is.
    TIMEOUT = "timeout"
    KILL = "killed"
    # Interrupts that a handler hears of.
    LET_IN = { Object => :immediate }.freeze
    private_constant :Completed, :DONE, :RELEASE, :KILLED, :UNKNOWN_KIND, :INTERRUPTED, :KILL, :LET_IN

    # @return [Runs] the jobs that are performed now
    attr_reader :runs

    # @param native [Native::Worker]
    # @param duties [Duties]
    # @param logger [Logger]
    def initialize(native, duties, logger)
      @unanswered = Unanswered.new(native, keep: duties.hooks.any?(:lock_lost))
      @duties = duties
      @logger = logger
      @dismissed = false
      @runs = Runs.new
      @lost = Thread::Queue.new
    end

    # From now on the job of a killed thread is given back, and spends no retry: somebody wanted the worker to end.
    def dismiss
      @dismissed = true
    end

    # Performs a job and tells its outcome, whatever happens in the handler.
    #
    # @param job [Job]
    def perform(job)
      @runs.during(job) do |run|
        outcome_within(run) do |outcome|
          tell_end(run)
        ensure
          finish(run, outcome)
        end
      end
    end

    # Reports the outcomes that were refused since the last call, and the handlers that were interrupted because theirs
    # would have been, to the log and to the lock_lost hooks.
    def report_refused
      tell_hooks(:lock_lost, *@lost.pop) until @lost.empty?
      @unanswered.take_refused.each do |jid, job, operation, reason|
        @logger.warn { "job #{jid}: #{operation} was refused: #{reason}" }
        tell_hooks(:lock_lost, job, reason) if job
      end
    end

    # Calls the hooks of that name. What they raise is logged.
    #
    # @param name [Symbol]
    # @param about [Job, Worker] the job, if it is about one
    # @param what [Object, nil] what else they are given
    def tell_hooks(name, about, what = nil)
      return unless @duties.hooks.any?(name)

      @duties.hooks.tell(name, *[about, what].compact) do |e|
        of_job = " for job #{about.jid}" if about.is_a?(Job)
        @logger.error { "on_#{name} raised#{of_job} #{Raised.line(e)}" }
      end
    end

    private

    # Yields the outcome of a run, however it ends.
    def outcome_within(run)
      outcome = RELEASE
      outcome = Thread.handle_interrupt(LET_IN) do
        outcome = KILLED
        outcome_of(run)
      end
    rescue JobInterrupted, Raised::Survived => e
      outcome = ended_by(run, e)
    rescue Exception => e # rubocop:disable Lint/RescueException -- SystemExit: the job hears of it, the thread ends
      outcome = ended_by(run, e)
      raise
    ensure
      yield outcome
    end

    def outcome_of(run)
      job = run.job
      run.handler = @duties.handler(job.kind)
      return UNKNOWN_KIND unless run.handler

      tell_hooks(:before_perform, job)
      performed(run)
    end

    def performed(run)
      job = run.job
      result = @duties.perform(job, run.handler)
      return unless job.held? # the handler has ended it

      return { complete: job.completion(result) } if job.data_changed?

      result.nil? ? DONE : Completed.new(Wire.json(result, "result", "job_complete"))
    rescue Outcome => e
      chosen = { e.verb => e.fields }
      run.failure = e if e.verb == "fail"
      chosen
    end

    # No hook hears of a job that has no handler. Interrupts are over: each is told once. A handler that failed the job
    # itself has said why; what it raises afterwards changes nothing.
    def tell_end(run)
      return unless run.handler

      tell_hooks(:after_perform, run.job)
      failure = run.job.given_up || run.failure
      tell_hooks(:failure, run.job, failure) if failure
    end

    # The outcome of a run that an exception ended.
    def ended_by(run, exception)
      interrupt = JobInterrupted.behind(exception)
      interrupt ? interrupted(run, interrupt) : failed(run, exception)
    end

    # Releasing a job whose lease is lost does nothing but let the native worker forget it.
    def interrupted(run, interrupt)
      @logger.warn { interrupt.message }
      case interrupt.reason
      when TIMEOUT
        run.failure = interrupt
        timed_out(run.job, Raised.describe(interrupt)[:trace])
      when KILL then RELEASE
      else
        @lost << [run.job, interrupt.reason]
        RELEASE
      end
    end

    def timed_out(job, trace = "")
      again(job, { class: INTERRUPTED, message: "the handler ran longer than its timeout", trace: })
    end

    def failed(run, exception)
      job = run.job
      run.failure = exception
      @logger.warn { "job #{job.jid} (#{job.kind}) raised #{Raised.line(exception)}" }
      described = Raised.describe(exception)
      waiting(job) { job.ruled(exception, described) } || again(job, described)
    end

    # The outcome of a failed run that no rule is for: the job waits as it says itself, which the native worker sees to,
    # else as its kind says, or longer each time.
    def again(job, described)
      backoff = job.backoff ? nil : @duties.backoff(job.kind)
      (backoff && waiting(job) { job.after(backoff, described) }) || { error: described }
    end

    # What the block says, unless a backoff, which may be a function of the program, fails.
    def waiting(job)
      yield
    rescue Raised::Survived => e
      @logger.error { "the backoff of job #{job.jid} (#{job.kind}) raised #{Raised.line(e)}; it waits as without one" }
      nil
    end

    def finish(run, outcome)
      job = run.job
      return unless job.held?

      outcome = of_killed(run) if outcome.equal?(KILLED)
      tell(job, outcome)
    rescue Closed
      end_late(job, outcome)
    rescue WrongState # the handler has ended it itself and was refused, which is told elsewhere
      job.let_go("refused")
    rescue Raised::Survived => e # the outcome cannot be kept: a failure group of 300 bytes, for one
      tell(job, failed(run, e))
    end

    # The worker has ended before the handler. Its client may give the job back.
    def end_late(job, outcome)
      return job.give_back if outcome.equal?(RELEASE)

      @logger.warn { "job #{job.jid} (#{job.kind}) ended after its worker: it runs again when its lease runs out" }
    rescue Error => e
      @logger.warn { "job #{job.jid} (#{job.kind}) ended after its worker and could not be given back: #{e.message}" }
    end

    # The outcome of a run whose thread was killed.
    def of_killed(run)
      return timed_out(run.job) if run.reasons.include?(TIMEOUT)

      @dismissed ? RELEASE : again(run.job, KILLED)
    end

    def tell(job, outcome)
      if outcome.is_a?(Completed)
        @unanswered.complete(job, outcome.result)
      else
        @unanswered.finish(job, text_of(outcome))
      end
      job.let_go("finished")
    end

    def text_of(outcome)
      verb, fields = outcome.first
      %({"#{verb}":#{Wire.object(fields, "job_#{verb}")}})
    end
  end
  private_constant :Performer
end
