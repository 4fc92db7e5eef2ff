# frozen_string_literal: true

# For a Rakefile: `require "manyhands/tasks"`, and `task "manyhands:setup" => :environment`, or whatever loads the
# program.

require "rake"
require "manyhands/work"

# No worker may begin while the Rakefile is loaded, whatever task is wanted.
Manyhands::Worker.loading_when { caller_locations.any? { |place| place.base_label == "raw_load_rakefile" } }

namespace :manyhands do
  desc "Perform jobs in worker processes, as the environment says (QUEUES, …: see `manyhands-ruby work --help`)"
  task :work do
    Manyhands::Work.loading { Rake::Task["manyhands:setup"].invoke }
    exit Manyhands::Work.new.run
  rescue Manyhands::Work::Refused => e
    warn "manyhands:work: #{e.message}"
    exit 2
  end

  task :setup
end
