# frozen_string_literal: true

module Manyhands
  # Hands the outcomes of performed jobs over, and keeps those jobs until the engine has answered: it may refuse.
  #
  # @api private
  class Unanswered
    # As many as the core remembers refusals.
    MOST = 1000
    private_constant :MOST

    # @param native [Native::Worker]
    # @param keep [Boolean] whether anybody asks for the jobs
    def initialize(native, keep:)
      @native = native
      @keep = keep
      @jobs = {}
      @lock = Mutex.new
    end

    # Hands over that a job is done.
    #
    # @param job [Job]
    # @param result [String, nil] JSON text; nil: none
    # @raise [Error]
    def complete(job, result)
      keeping(job) { @native.complete(job.jid, job.token, result) }
    end

    # Hands over how else a job ended.
    #
    # @param job [Job]
    # @param outcome [String] as the core reads it
    # @raise [Error]
    def finish(job, outcome)
      keeping(job) { @native.finish(job.jid, job.token, outcome) }
    end

    # The refusals since the last call; forgets the jobs that were answered.
    #
    # @return [Array<Array(String, Job, String, String)>] jid, the job if it was kept, operation and reason of each
    def take_refused
      answered = @lock.synchronize { @jobs.keys.tap { |keys| keys.pop(@native.unanswered) } }
      refused = @native.take_refused
      @lock.synchronize do
        told = refused.map { |jid, token, operation, reason| [jid, @jobs.delete([jid, token]), operation, reason] }
        answered.each { |key| @jobs.delete(key) }
        told
      end
    end

    private

    def keeping(job)
      return yield unless @keep

      # An interrupt in here would leave the outcome untold.
      Thread.handle_interrupt(Object => :never) do
        @lock.synchronize do # the jobs stand in the order in which the engine will answer
          yield
          @jobs.shift if @jobs.size >= MOST
          @jobs[[job.jid, job.token]] = job
        end
      end
    end
  end
  private_constant :Unanswered
end
