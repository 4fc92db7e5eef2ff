# frozen_string_literal: true

# What the harness asks of a program in Ruby. README.md says what each mode is.
module Protocol
  SOCKET, count, size, MODE = ARGV
  JOBS = Integer(count)
  PAYLOAD = "x" * (Integer(size) - 2)
  PUTS = %w[put putter].include?(MODE)
  SHORT_LEASES = %w[hold rescue].include?(MODE)

  $stdout.sync = true
  @lock = Mutex.new
  @started = 0

  class << self
    def seconds = Process.clock_gettime(Process::CLOCK_MONOTONIC)
    def say(seconds) = puts(format("%.6f", seconds))

    # Calls bulk with how many until all jobs are put, at_once each, or one for each line that comes.
    def put(at_once, bulk, one)
      if MODE == "put"
        begun = seconds
        JOBS.step(1, -at_once) { |left| bulk.call([left, at_once].min) }
        return say(seconds - begun)
      end
      $stdin.each_line do
        begun = seconds
        one.call
        say(begun)
      end
    end

    # What every job does; the block ends the worker as its users would.
    def start(&)
      now = seconds
      return drain(now, &) if MODE == "drain"

      say(now)
      sleep if MODE == "hold"
    end

    private

    def drain(now)
      number = @lock.synchronize { @started += 1 }
      @begun ||= now
      return if number < JOBS

      say(now - @begun)
      yield
    end
  end
end
