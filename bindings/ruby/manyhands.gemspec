# frozen_string_literal: true

# Read in the folder that `rake gem` stages: a workspace of the core and this binding, at its root.
Gem::Specification.new do |spec|
  spec.name = "manyhands"
  spec.version = File.read("Cargo.toml")[/^version = "(.+)"/, 1]
  spec.summary = "A job system for programs written in several languages."
  spec.description = "Jobs in Redis, performed by Ruby, Python, Node, C and Rust alike: at least once, never lost."
  spec.authors = ["The Manyhands authors"]
  spec.homepage = "https://github.com/manyhands/manyhands"
  spec.licenses = ["MIT", "Apache-2.0"]
  spec.required_ruby_version = ">= 3.1"
  spec.metadata = { "rubygems_mfa_required" => "true" }

  spec.files = Dir["**/*"].select { |path| File.file?(path) }
  spec.extensions = ["bindings/ruby/ext/extconf.rb"]
  spec.require_paths = ["bindings/ruby/lib"]
  spec.bindir = "bindings/ruby/exe"
  spec.executables = ["manyhands-ruby"]
end
