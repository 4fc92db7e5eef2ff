# frozen_string_literal: true

require "fileutils"
require "socket"
require "tmpdir"

# A redis-server of the tests' own: on a unix socket in a temporary folder, gone with the tests.
class RedisServer
  TLS = File.expand_path("../../../tests/tls/server.sh", __dir__)

  # Its URL for clients.
  attr_reader :url

  # Starts one and waits until it listens.
  def self.start(program = "redis-server") = new(program).tap(&:start)

  def initialize(program)
    @program = program
    @dir = Dir.mktmpdir("manyhands-ruby")
    @socket = File.join(@dir, "redis.sock")
    @url = "unix://#{@socket}"
  end

  # Starts the server; again, after #kill, with what was appended to its file.
  def start
    @pid = Process.spawn(@program, "--port", "0", "--unixsocket", @socket, "--save", "", "--appendonly", "yes",
                         "--appendfsync", "no", "--logfile", "redis.log", chdir: @dir)
    answered = File.join(@dir, "redis.log")
    Thread.pass until File.exist?(answered) && File.read(answered).include?("ready to accept connections at")
  end

  # Its URL over TLS, with options in which DIR is the folder of its certificates.
  def tls_url(options) = File.read(File.join(@dir, "url")) + options.gsub("DIR", @dir)

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
