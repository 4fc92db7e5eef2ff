# frozen_string_literal: true

require "optparse"
require "manyhands"
require "manyhands/work"

module Manyhands
  # The program `manyhands-ruby`. `require "manyhands/command"` loads it.
  #
  # @api private
  class Command
    # How it ends when it was called wrongly.
    REFUSED = 2
    USAGE = <<~TEXT
      Usage: manyhands-ruby work -r FILE [options]
             manyhands-ruby --help | --version
    TEXT
    WORK = <<~TEXT
      Usage: manyhands-ruby work -r FILE [options]

      Performs jobs. A master loads FILE once, forks worker processes and keeps them. FILE says which worker:

          require "manyhands"
          Manyhands.worker do
            worker = Manyhands::Worker.new(Manyhands::Client.new, queues: ["mail"], threads: 4)
            worker.perform("welcome") { |job| deliver(job.data["to"]) }
          end

      An option wins over its environment variable, in brackets, and both win over what FILE says; what nobody says has
      the default. An empty variable is as none.

      Options:
    TEXT
    SIGNALS = <<~TEXT
      Signals, to the master for all processes or to one process: QUIT ends after the running jobs, TERM and INT now,
      a second one at once; USR1 interrupts the running jobs; USR2 takes no new jobs, CONT takes them again; TTIN
      writes what runs to the log. HUP to the master forks every process anew, one after another; for new code start
      a new master.
    TEXT
    WIDTH = 100
    private_constant :REFUSED, :USAGE, :WORK, :SIGNALS, :WIDTH

    # @param arguments [Array<String>]
    # @return [Integer] the status to end with
    def self.run(arguments)
      first, *rest = arguments
      case first
      when "work" then new.work(rest)
      when "--version" then say("manyhands-ruby #{VERSION}")
      when "--help", "-h" then say(USAGE, "\n`manyhands-ruby work --help` lists all options.")
      else
        warn(first ? "manyhands-ruby: #{first} is unknown" : "manyhands-ruby: nothing to do", USAGE)
        REFUSED
      end
    end

    def self.say(*lines)
      puts lines
      0
    end
    private_class_method :say

    def initialize
      @files = []
      @flags = {}
    end

    # @param arguments [Array<String>] those after `work`
    # @return [Integer] the status to end with
    def work(arguments)
      arguments = parser.parse(arguments.flat_map { |argument| parted(utf8(argument)) })
      return puts(help) || 0 if @help
      return refused("#{arguments.first} is unknown; -r is said before a file") if arguments.any?
      return refused("-r is missing: the file that says Manyhands.worker { … }") if @files.empty?

      work = Work.new(@flags)
      Work.loading { @files.each { |file| load_program(file) } }
      work.run
    rescue OptionParser::MissingArgument => e
      refused("#{e.args.first} needs a value")
    rescue OptionParser::ParseError => e
      refused("#{e.args.first} is unknown")
    rescue Work::Refused => e
      refused(e.message)
    end

    private

    # Whatever the locale is.
    def utf8(argument)
      argument = argument.dup.force_encoding(Encoding::UTF_8)
      return argument if argument.valid_encoding?

      raise Work::Refused, "#{argument.inspect} is not UTF-8"
    end

    # `--name=value` as two: Ruby 3.1 knows no such option when it may not guess at short forms.
    def parted(argument)
      flag, value = argument.match(/\A--([a-z-]+)=(.*)\z/m)&.captures
      return [argument] unless flag

      setting = Work::SETTINGS.find { |one| one["flag"] == flag }
      raise Work::Refused, "--#{flag} takes no value" if setting && setting["unit"].empty?

      ["--#{flag}", value]
    end

    def load_program(file)
      require(File.file?(file) ? File.expand_path(file) : file)
    rescue LoadError => e
      raise unless e.path == file # something that it requires

      raise Work::Refused, "-r #{file} is no file, and nothing that `require` finds"
    end

    def refused(why)
      warn("manyhands-ruby: #{why}")
      REFUSED
    end

    def parser
      OptionParser.new do |parser|
        parser.require_exact = true
        parser.on("-r", "--require FILE") { |file| @files << file }
        parser.on("-h", "--help") { @help = true }
        Work::SETTINGS.each do |setting|
          flag, unit = setting.values_at("flag", "unit")
          parser.on("--#{flag}", *("=VALUE" unless unit.empty?)) { |value| @flags[flag] = value.to_s }
        end
      end
    end

    def help
      options = [["-r FILE, --require FILE", "What to load: a path, or what `require` finds. May be given again."],
                 *Work::SETTINGS.map { |setting| option(setting) }, ["-h, --help", "Says this."]]
      [WORK, *options.map { |option, text| "  #{option}\n#{indented(text)}" }, "", SIGNALS]
    end

    def option(setting)
      name, flag, default, unit, help = setting.values_at("name", "flag", "default", "unit", "help")
      default = " Default: #{default}." unless default.empty?
      ["--#{[flag, *(unit.upcase unless unit.empty?)].join(' ')}", "#{help}#{default} [#{name}]"]
    end

    def indented(text) = text.gsub(/(.{1,#{WIDTH - 8}})(?: +|\z)/, "        \\1\n").chomp
  end
end
