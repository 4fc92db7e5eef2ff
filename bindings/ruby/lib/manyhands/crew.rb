# frozen_string_literal: true

module Manyhands
  # The threads of a worker that perform its jobs.
  #
  # @api private
  class Crew
    # @param performer [Performer]
    # @param watch [Watch] is told when a job begins, and when a thread ends
    # @yieldreturn [Job, nil] the next job; nil when there will be none
    def initialize(performer, watch, &take)
      @performer = performer
      @watch = watch
      @take = take
      @threads = []
      @leaving = Thread::Queue.new
    end

    # Starts threads. They hold interrupts back except while they wait for a job or run a handler, {JobInterrupted} also
    # while they wait.
    #
    # @param count [Integer]
    def hire(count)
      Thread.handle_interrupt(Runs::HELD_BACK) do
        count.times do |number|
          @threads << Thread.new do
            Thread.current.name = "manyhands-#{number}"
            Thread.current.report_on_exception = false # the join in `look` raises it
            while (job = @take.call)
              @watch.stir_idle
              @performer.perform(job)
            end
          ensure
            @leaving << Thread.current
            @watch.stir
          end
        end
      end
    end

    # @return [Integer] how many threads there still are
    def size = @threads.count(&:alive?)

    # @return [Boolean] whether no thread has ended
    def complete? = @threads.all?(&:alive?)

    # @return [Boolean] whether every thread has ended
    def gone? = @threads.none?(&:alive?)

    # What ended a thread is raised here.
    def look
      @leaving.pop.join until @leaving.empty?
      @threads.each { |thread| thread.join unless thread.alive? }
    end

    # Kills the threads that there still are.
    #
    # @param grace [Numeric] seconds for their `ensure` parts
    def kill(grace)
      late = @threads.select(&:alive?).each(&:kill)
      deadline = now + grace
      late.each { |thread| thread.join([deadline - now, 0].max) }
    end

    private

    def now = Process.clock_gettime(Process::CLOCK_MONOTONIC)
  end
  private_constant :Crew
end
