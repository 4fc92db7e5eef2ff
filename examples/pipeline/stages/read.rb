# frozen_string_literal: true

# Stage 1, Ruby: reads a file and says what it is.
#
# From the job:  path
# Into the job:  bytes, lines, sha256, encoding ("utf-8", "latin-1", "binary", or "empty")

require "digest"
require "manyhands"

CHUNK = 1 << 20
PACE = ENV.fetch("PACE_MS", "0").to_f / 1000

# Read line by line: a file need not fit into memory.
def describe(path)
  digest = Digest::SHA256.new
  bytes = lines = 0
  text = utf8 = ends_line = true
  File.foreach(path, CHUNK, mode: "rb:UTF-8") do |line|
    digest << line
    bytes += line.bytesize
    ends_line = line.end_with?("\n")
    lines += 1 if ends_line
    utf8 &&= line.valid_encoding?
    text &&= !line.b.include?("\0")
  end
  lines += 1 unless ends_line
  { "bytes" => bytes, "lines" => lines, "sha256" => digest.hexdigest, "encoding" => encoding(bytes, text, utf8) }
end

def encoding(bytes, text, utf8)
  return "empty" if bytes.zero?
  return "binary" unless text

  utf8 ? "utf-8" : "latin-1"
end

client = Manyhands::Client.new
worker = Manyhands::Worker.new(client, queues: ["read"])

worker.perform("document") do |job|
  sleep(PACE)
  file = describe(job.data.fetch("path"))
  step = { "stage" => "read", "language" => "Ruby #{RUBY_VERSION}", "pid" => Process.pid }
  job.data = job.data.merge(file, "journey" => [step])
  file
rescue SystemCallError => e
  raise Manyhands::Fail.new("unreadable", e.message)
end

worker.run
client.close
