# frozen_string_literal: true

# The module of the Manyhands job system.
module Manyhands
  # Who holds the lease of a job reserved by hand, and so ends it: a client. (A {Worker} holds those it reserves.)
  #
  # @api private
  class ClientHolder
    # @param native [Native::Client]
    def initialize(native)
      @native = native
      @reserved = Process.clock_gettime(Process::CLOCK_MONOTONIC, :millisecond)
    end

    # Ends a job as `verb` says.
    #
    # @return [String] its new state
    # @raise [LockLost]
    def settle(job, verb, fields)
      run_ms = Process.clock_gettime(Process::CLOCK_MONOTONIC, :millisecond) - @reserved
      timed = verb == "release" ? {} : { run_ms: }
      answer("job_#{verb}", job, **timed, **fields).fetch("outcome")
    end

    # Renews a job's lease.
    #
    # @return [Integer] its length in milliseconds
    # @raise [LockLost]
    def renew(job) = answer("job_heartbeat", job).fetch("lease_ms")

    # Forgets a job whose lease another operation has ended.
    #
    # @return [void]
    def drop(_job) = nil

    # Nobody tells a client without a worker.
    #
    # @return [nil]
    def lost(_job) = nil

    private

    def answer(operation, job, **fields)
      item = Wire.object({ jid: job.jid, token: job.token, **fields }, operation)
      answer = Wire.parse(@native.call(operation, %({"jobs":[#{item}]}))).fetch(0)
      raise Error.from(answer["error"]) if answer["error"]

      answer
    end
  end

  # Who holds the lease of the jobs that a worker's runtime handed out. The runtime measures how long they ran.
  #
  # @api private
  class WorkerHolder
    # @param native [Native::Worker]
    def initialize(native)
      @native = native
    end

    # @see ClientHolder#settle
    def settle(job, verb, fields)
      @native.finish_wait(job.jid, job.token, %({"#{verb}":#{Wire.object(fields, "job_#{verb}")}}))
    end

    # @see ClientHolder#renew
    def renew(job) = @native.heartbeat(job.jid, job.token)

    # The runtime forgets a job when its end is told; the engine passes over a release that comes too late.
    #
    # @see ClientHolder#drop
    def drop(job)
      @native.finish(job.jid, job.token, RELEASE)
    rescue Error
      nil # the worker has ended
    end

    # @return [String, nil] why the lease is known to be lost, without asking Redis
    def lost(job) = @native.lost(job.jid, job.token)

    # Sees to it that a job that its owner forgot does not stay in hand for ever.
    #
    # @param job [Job]
    # @return [Job] the same
    def watch(job)
      ObjectSpace.define_finalizer(job, WorkerHolder.forgotten(@native, job.jid, job.token))
      job
    end

    # @return [Proc] ends a job that exists no more; it may not hold the job itself
    def self.forgotten(native, jid, token)
      lambda do |_|
        native.finish(jid, token, FORGOTTEN)
      rescue Error
        nil # it was ended, or the worker was
      end
    end

    FORGOTTEN = JSON.generate(error: { class: "JobForgotten", message: "the job was taken and never ended" }).freeze
    RELEASE = '{"release":{}}'
    private_constant :FORGOTTEN, :RELEASE
  end
  private_constant :ClientHolder, :WorkerHolder
end
