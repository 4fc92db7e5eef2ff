# frozen_string_literal: true

module Manyhands
  # What process listings (`ps`) show of a running worker: its role, its queues, what it does and for whom.
  #
  # @api private
  class Title
    # Most jobs that are named.
    MOST = 5
    private_constant :MOST

    # Shown while the block runs, when that is on the main thread: others are a part of another program.
    #
    # @param queues [Array<String>]
    # @param threads [Integer]
    # @yieldparam title [Title, nil]
    def self.during(queues, threads)
      return yield nil unless Thread.current == Thread.main

      begin
        yield new(queues, threads)
      ensure
        Process.setproctitle($PROGRAM_NAME)
      end
    end

    def initialize(queues, threads)
      @queues = queues.join(",")
      @threads = threads
      @shown = nil
    end

    # @param runs [Array<Runs::Run>]
    # @param state [String, nil] "paused" or "stopping"
    def show(runs, state)
      jobs = runs.first(MOST).map { |run| "#{run.job.kind} #{run.job.jid}" }
      jobs << "…" if runs.size > MOST
      text = ["manyhands worker", *state, "[#{@queues}]", "#{runs.size}/#{@threads}", jobs.join(", ")].join(" ").strip
      Process.setproctitle(@shown = text) unless text == @shown
    end
  end
  private_constant :Title
end
