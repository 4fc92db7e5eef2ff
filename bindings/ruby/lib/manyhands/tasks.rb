# frozen_string_literal: true

# For a Rakefile: `require "manyhands/tasks"`, and `task "manyhands:setup" => :environment`, or whatever loads the
# program.

require "rake"
require "manyhands/work"

namespace :manyhands do
  desc "Perform jobs in worker processes, as the environment says (QUEUES, …: see `manyhands-ruby work --help`)"
  task work: :setup do
    exit Manyhands::Work.new.run
  rescue Manyhands::Work::Refused => e
    warn "manyhands:work: #{e.message}"
    exit 2
  end

  task :setup
end
