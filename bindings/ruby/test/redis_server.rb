# frozen_string_literal: true

require "fileutils"
require "socket"
require "tmpdir"

# A redis-server of the tests' own: on a unix socket in a temporary folder, gone with the tests.
class RedisServer
  # Its URL for clients.
  attr_reader :url

  # Starts one and waits until it listens.
  def self.start = new.tap(&:start)

  def initialize
    @dir = Dir.mktmpdir("manyhands-ruby")
    @socket = File.join(@dir, "redis.sock")
    @url = "unix://#{@socket}"
  end

  # Starts the server; again, after #kill, with what was appended to its file.
  def start
    @pid = Process.spawn("redis-server", "--port", "0", "--unixsocket", @socket, "--dir", @dir, "--save", "",
                         "--appendonly", "yes", "--appendfsync", "no", "--logfile", "redis.log")
    answered = File.join(@dir, "redis.log")
    Thread.pass until File.exist?(answered) && File.read(answered).include?("ready to accept connections at")
  end

  # Kills the server with SIGKILL.
  def kill
    Process.kill("KILL", @pid)
    Process.wait(@pid)
    FileUtils.rm_f([@socket, File.join(@dir, "redis.log")])
  end

  # Stops the server and removes its folder.
  def stop
    kill
    FileUtils.rm_rf(@dir)
  end

  # A command, for what no operation shows. Replies are not parsed beyond their first line.
  def command(*words)
    UNIXSocket.open(@socket) do |socket|
      socket.write("*#{words.size}\r\n", *words.map { |word| "$#{word.to_s.bytesize}\r\n#{word}\r\n" })
      socket.gets("\r\n", chomp: true)
    end
  end
end
