# frozen_string_literal: true

require "socket"

require_relative "case"

# A test of `manyhands-ruby work` on a namespace of its own: real processes, real signals.
class WorkCase < Case
  PROGRAM = File.expand_path("../exe/manyhands-ruby", __dir__)
  # What the tests' program performs. `hold` runs until the test says so, or it is interrupted; what it prints is heard.
  APPLICATION = <<~RUBY
    require "manyhands"
    require "logger"
    require "socket"

    Manyhands.worker do
      worker = Manyhands::Worker.new(Manyhands::Client.new, queues: ["q"], logger: Logger.new($stderr))
      worker.perform("hold") do |job|
        test = UNIXSocket.new(ENV.fetch("HOLD"))
        test.puts("\#{job.jid} \#{Process.pid}")
        test.gets or raise "the test is gone"
      rescue Manyhands::JobInterrupted => e
        test.puts(e.reason)
        raise
      end
      endless = lambda do |job|
        Thread.handle_interrupt(Object => :never) do
          UNIXSocket.new(ENV.fetch("HOLD")).puts("\#{job.jid} \#{Process.pid}")
          sleep
        end
      end
      worker.perform("stubborn", &endless)
      worker.perform("late", timeout: 0.1, &endless)
      # Has so much to put in order when it is to end that it takes until the test says so.
      worker.perform("slow") do |job|
        test = UNIXSocket.new(ENV.fetch("HOLD"))
        test.puts("\#{job.jid} \#{Process.pid}")
        sleep
      rescue Manyhands::JobInterrupted => e
        test.puts(e.reason)
        test.gets
      end
      # Ends its job itself, whatever it is told, and says what came of it.
      worker.perform("deaf") do |job|
        Thread.handle_interrupt(Manyhands::JobInterrupted => :never) do
          test = UNIXSocket.new(ENV.fetch("HOLD"))
          test.puts("\#{job.jid} \#{Process.pid}")
          test.gets
          test.puts(job.complete)
        rescue Manyhands::LockLost => e
          test.puts("refused: \#{e.reason}")
        end
      end
      worker.perform("crash") { Process.kill("KILL", Process.pid) && sleep }
      kept = []
      worker.perform("leak") { |job| kept << ("x" * job.data) and Process.pid }
      worker.perform("pid") { Process.pid }
      worker
    end
  RUBY

  # A handler that runs.
  Held = Struct.new(:jid, :pid, :socket) do
    def finish = socket.puts("done")
    # How it ended, when the test did not say so: the reason of its interrupt, or nil when its process died. Of kind
    # deaf: what came of its job.
    def ended = socket.gets&.chomp
  end

  def setup
    super
    @dir = Dir.mktmpdir("manyhands-work")
    @holds = UNIXServer.new(File.join(@dir, "hold"))
    @programs = []
  end

  def teardown
    @programs.each do |program|
      Process.kill("KILL", program.pid)
    rescue Errno::ESRCH
      nil
    ensure
      program.close
    end
    super
    FileUtils.rm_rf(@dir)
  end

  # A file with the text of a program.
  def application(text = APPLICATION)
    path = File.join(@dir, "app.rb")
    File.write(path, text)
    path
  end

  def environment
    { "MANYHANDS_URL" => SERVER.url, "NAMESPACE" => client.namespace, "HOLD" => File.join(@dir, "hold") }
  end

  # Starts `manyhands-ruby` as a pipe of what it prints and writes to its log.
  def command(*arguments, **variables)
    paths = $LOAD_PATH.map { |path| "-I#{path}" }
    variables = variables.transform_keys(&:to_s)
    program = [{ **environment, **variables }, RbConfig.ruby, *paths, PROGRAM, *arguments, { err: %i[child out] }]
    IO.popen(program, external_encoding: Encoding::UTF_8).tap { |running| @programs << running }
  end

  def work(*arguments, text: APPLICATION, **variables)
    command("work", "-r", application(text), *arguments, **variables)
  end

  # Waits for its end, and answers its status.
  def status(program)
    @said = program.read # to its end
    @programs.delete(program)
    program.close
    $CHILD_STATUS
  end

  # The next handler of kind hold, stubborn, late, slow or deaf that begins.
  def held
    assert @holds.wait_readable(PATIENCE), "no handler began"
    socket = @holds.accept
    said = socket.gets or return held # its process was killed before it could say so
    jid, pid = said.split
    Held.new(jid, Integer(pid), socket)
  end

  # What its workers that live say of themselves.
  def workers = client.workers(limit: 100).map { |worker| worker[:status] }.compact

  # The processes of a master.
  def children(program)
    File.read("/proc/#{program.pid}/task/#{program.pid}/children").split.map(&:to_i)
  end

  def title(pid) = File.read("/proc/#{pid}/cmdline").tr("\0", " ").strip

  def gone?(pid)
    File.read("/proc/#{pid}/stat")[/\) (.)/, 1] == "Z"
  rescue SystemCallError
    true
  end

  # How long leases are: whoever is silent for so long, and a little more, has lost its jobs.
  def lease(seconds)
    client.config.set("heartbeat", seconds, queue: "q")
    client.config.set("grace-period", 0.2, queue: "q")
  end

  def remaining(jid) = client.job(jid).then { |job| [job.state, job.remaining] }
end
