# frozen_string_literal: true

module Manyhands
  # The process that has loaded the program, and forks worker processes of it. What it does when is decided in the core
  # (core/src/worker/supervisor); this forks.
  #
  # It has no thread but its main one when it forks, unless the program started some.
  #
  # @api private
  class Master
    SIGNALS = [*Signals::NAMES, "HUP"].freeze
    # A signal ends a wait at once, unless another thread of the program's got it: then it is seen so late, in
    # milliseconds.
    WAIT_MS = 1000
    # What a service manager says to this process alone.
    OWN = %w[NOTIFY_SOCKET WATCHDOG_USEC WATCHDOG_PID].freeze
    # The most that SHUTDOWN_TIMEOUT and KILL_TIMEOUT may be, in milliseconds.
    LONGEST_MS = 86_400_000
    private_constant :SIGNALS, :WAIT_MS, :OWN, :LONGEST_MS

    # @param worker [Worker] not started
    # @param flags [Hash{String => String}] of the command
    def initialize(worker, flags)
      @worker = worker
      # How long a process may take to end is what its worker says, whoever set that.
      flags = flags.merge(worker.ending_times.transform_values { |ms| ([ms, LONGEST_MS].min / 1000.0).to_s })
      @native = Native::Supervisor.open(worker.client.native, JSON.generate(flags))
      @shown = nil
      # Who closes a terminal wants an end; a service manager wants fresh processes.
      @hup = $stdin.tty? ? "QUIT" : "HUP"
    end

    # @return [Integer] the status to end with
    def run
      Process.respond_to?(:warmup) ? Process.warmup : GC.start # what is garbage now would be copied by every process
      Signals.during(method(:obey), SIGNALS) { keep }
    end

    private

    def obey(signal) = @native.signal(signal == "HUP" ? @hup : signal)

    def keep
      loop do
        answer = tell("wait", timeout_ms: WAIT_MS)
        show(answer["status"])
        answer["tasks"].each do |task|
          return task["status"] if task["do"] == "exit"

          start(task)
        end
      end
    end

    def start(task)
      @worker.tell_hooks(:before_fork)
      [$stdout, $stderr].each(&:flush) # or both write it
      pid = Process.fork { serve(task) }
      tell("started", process: task["process"], pid:)
    rescue SystemCallError => e
      tell("not_started", process: task["process"], why: e.message)
    end

    # In the new process.
    def serve(task)
      SIGNALS.each { |name| Signal.trap(name, "SYSTEM_DEFAULT") }
      Process.setpgid(0, 0) # a key pressed at a terminal reaches the master alone
      tell("forked", process: task["process"])
      OWN.each { |name| ENV.delete(name) }
      ENV.update(task["environment"])
      $stdin.reopen(File::NULL)
      Process.setproctitle("manyhands worker starting [#{queues}]")
      @worker.tell_hooks(:after_fork)
      @worker.run
    end

    def queues = @worker.queues.join(",")

    def show(status)
      Process.setproctitle(@shown = "manyhands master [#{queues}] #{status}") unless @shown&.end_with?("] #{status}")
    end

    def tell(event, **about) = Wire.parse(@native.event(JSON.generate({ event:, **about })))
  end
  private_constant :Master
end
