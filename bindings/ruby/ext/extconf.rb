# frozen_string_literal: true

# Writes the Makefile that builds the native half with cargo. The same in a checkout and in an installed gem: both have
# the crate in this folder's parent and its workspace two folders above that.
#
# CARGO_TARGET_DIR   where cargo builds and keeps what it built. Default: a folder here, deleted after the install
# MANYHANDS_PROFILE  cargo's profile. Default: release

require "rbconfig"
require "shellwords"

def give_up(missing)
  abort "manyhands: #{missing}. Building this gem needs Rust (https://rustup.rs), Ruby's headers (Debian: ruby-dev) " \
        "and libclang (Debian: libclang-14-dev)."
end

give_up("there is no cargo on the PATH") unless system("cargo", "--version", out: File::NULL, err: File::NULL)
headers = RbConfig::CONFIG.fetch("rubyhdrdir")
give_up("Ruby's headers are not in #{headers}") unless File.exist?(File.join(headers, "ruby.h"))

profile = ENV.fetch("MANYHANDS_PROFILE", "release")
kept = ENV.fetch("CARGO_TARGET_DIR", nil)
target = File.expand_path(kept || "target")
built = File.join(target, profile == "dev" ? "debug" : profile, "libmanyhands_ruby.#{RbConfig::CONFIG.fetch('SOEXT')}")
library = "native.#{RbConfig::CONFIG.fetch('DLEXT')}"
manifest = File.expand_path("../Cargo.toml", __dir__)
build = ["env", "RUBY=#{RbConfig.ruby}", "CARGO_TARGET_DIR=#{target}", "cargo", "build", "--locked",
         "--profile", profile, "--manifest-path", manifest]

File.write("Makefile", <<~MAKEFILE)
  # Written by extconf.rb. RubyGems says where to install: DESTDIR and sitearchdir.
  sitearchdir = #{RbConfig::CONFIG.fetch('sitearchdir').shellescape}
  RUBYARCHDIR = $(sitearchdir)

  .PHONY: all install clean

  all:
  \t#{build.shelljoin}

  install: all
  \tmkdir -p $(DESTDIR)$(RUBYARCHDIR)/manyhands
  \tcp #{built.shellescape} $(DESTDIR)$(RUBYARCHDIR)/manyhands/#{library}.new
  \tmv $(DESTDIR)$(RUBYARCHDIR)/manyhands/#{library}.new $(DESTDIR)$(RUBYARCHDIR)/manyhands/#{library}
  \t#{kept ? '@:' : "rm -rf #{target.shellescape}"}

  clean:
MAKEFILE
