# frozen_string_literal: true

# Answers the scenario runner through the Ruby gem's public surface. The protocol: tests/README.md.
require "json"
require "manyhands"

require_relative "session"

def answer(sessions, label, options, operation, args)
  session = sessions[label] ||= Session.new(**Units.in_seconds(JSON.parse(options)))
  args = JSON.parse(args).transform_keys(&:to_sym)
  args[:jobs]&.map! { |job| job.transform_keys(&:to_sym) }
  { reply: session.perform(operation, args) }
rescue Manyhands::Error => e
  { error: { code: e.code, name: e.code_name, message: e.message, operation: e.operation, jid: e.jid, reason: e.reason,
             retryable: e.retryable? } }
rescue StandardError => e # the runner tells it from one of ours by its name
  { error: { name: e.class.name, message: e.message } }
end

$stdout.sync = true
sessions = {}
$stdin.set_encoding("UTF-8").each_line(chomp: true) do |line|
  puts JSON.generate(answer(sessions, *line.split("\t")), max_nesting: 0)
end
