# frozen_string_literal: true

require "logger"
require "manyhands"
require "English"
require "minitest/autorun"
require "stringio"

require_relative "redis_server"

# A test with a namespace of its own on the one server of this run.
class Case < Minitest::Test
  SERVER = RedisServer.start
  OWNER = Process.pid
  Minitest.after_run { SERVER.stop if Process.pid == OWNER }

  # Longest wait for something that has to happen, in seconds.
  PATIENCE = 30

  attr_reader :client, :queue, :log

  def setup
    @client = Manyhands::Client.new(SERVER.url, namespace: "test-#{Process.pid}-#{object_id}")
    @queue = client.queue("q")
    @log = StringIO.new
    @workers = []
  end

  def teardown
    @workers.each { |worker| worker.close(timeout: 0) }
    client.close
  end

  # A worker on the test's queue that logs into {#log}.
  def new_worker(queues: ["q"], **options)
    worker = Manyhands::Worker.new(client, queues:, logger: Logger.new(log), **options)
    @workers << worker
    worker
  end

  # Runs a worker on a thread while the block runs.
  def running(worker)
    thread = Thread.new { worker.run }
    yield thread
  ensure
    worker.stop
    thread.join
  end

  # Waits until the block says something true, and returns that.
  def eventually
    deadline = now + PATIENCE
    loop do
      found = yield
      return found if found

      flunk "it did not happen within #{PATIENCE} s" if now > deadline
      Thread.pass
    end
  end

  # The next item of a Thread::Queue; fails when none comes.
  def take(events)
    eventually { events.pop(true) rescue nil } # rubocop:disable Style/RescueModifier
  end

  # Jobs of the queue that have not come to an end.
  def unfinished = queue.counts.values_at(:waiting, :scheduled, :running).sum

  # The one completed or failed job of that jid.
  def assert_state(state, jid) = assert_equal(state, client.job(jid)&.state)

  # Asserts the error's class, code and that its message names what is at fault.
  def assert_refused(error_class, naming, &)
    error = assert_raises(error_class, &)
    assert_includes error.message, naming
    error
  end

  # A Ruby program in a process of its own, as a pipe of what it prints. It has CLIENT, on this test's namespace.
  def program(text)
    bare_program(<<~RUBY + text)
      CLIENT = Manyhands::Client.new(#{SERVER.url.inspect}, namespace: #{client.namespace.inspect})
    RUBY
  end

  # A Ruby program that has done nothing but load the gem, as a pipe of what it prints.
  def bare_program(text)
    paths = $LOAD_PATH.map { |path| "-I#{path}" }
    IO.popen([RbConfig.ruby, *paths, "-e", "require 'manyhands'; $stdout.sync = true\n#{text}"], "r+")
  end

  def now = Process.clock_gettime(Process::CLOCK_MONOTONIC)
end
