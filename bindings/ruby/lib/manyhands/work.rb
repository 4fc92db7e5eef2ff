# frozen_string_literal: true

require "manyhands"
require "manyhands/master"

module Manyhands
  # Runs a program's worker as its user's settings say: flags, environment variables, and what the program says itself,
  # in this order.
  #
  # @api private
  class Work
    # All settings there are, see core/src/worker/settings.rs.
    SETTINGS = Wire.parse(Native.work_settings_table).freeze

    ANYWHERE = "redis://localhost"
    private_constant :ANYWHERE

    # What the user said is wrong. The message is for the user.
    class Refused < StandardError
    end

    # Checks the settings, and puts the flags into the environment, where the program finds them as well.
    #
    # @param flags [Hash{String => String}] by their names without dashes; that of a switch is "true"
    # @raise [Refused]
    def initialize(flags = {})
      @flags = flags
      @settings = refusing { Wire.parse(Native.work_settings(JSON.generate(flags))) }
      # Only checks. What the program says is not known yet.
      target = @settings.slice("namespace").compact
      refusing { Native::Client.open(@settings["url"] || ANYWHERE, JSON.generate(target)) }
      given = SETTINGS.select { |setting| said?(flags[setting["flag"]]) }
      given.each { |setting| ENV[setting["name"]] = flags[setting["flag"]] }
    end

    # Loads a program, or has it make its worker, which this runs and nobody else.
    #
    # @raise [Refused]
    def self.loading(&)
      Worker.while_loading(&)
    rescue WrongState => e
      raise unless e.operation == "worker_run"

      raise Refused, e.message.delete_prefix("#{e.code_name}: ").delete_suffix(" (during #{e.operation})")
    end

    # Performs jobs until it is told to end.
    #
    # @return [Integer] the status to end with
    # @raise [Refused]
    def run
      $stdout.sync = true # what handlers print is seen at once, also in a file and of a process that is killed
      worker = made
      refusing do
        worker.client.move(*@settings.values_at("url", "namespace"))
        worker.override(@settings["worker"].transform_keys(&:to_sym))
      end
      return Master.new(worker, @flags).run unless @settings["single_process"]

      worker.run
      0
    end

    private

    def made
      makers = Manyhands.makers
      raise Refused, "what was loaded does not say Manyhands.worker { … }" if makers.empty?

      if makers.size > 1
        places = makers.map { |maker| Array(maker.source_location).join(":") }
        raise Refused, "Manyhands.worker is said more than once: #{places.join(', ')}"
      end

      worker = Work.loading { makers.first.call }
      unless worker.is_a?(Worker)
        raise Refused, "the block of Manyhands.worker gave #{worker.inspect}, not a Manyhands::Worker"
      end
      raise Refused, "the worker performs nothing: say worker.perform(…)" if worker.duties.kinds.empty?

      worker
    end

    def said?(value) = !value.nil? && !value.empty?

    # Errors of the core, under the name that the user wrote.
    def refusing
      yield
    rescue InvalidArgument, UnsupportedUrl => e
      raise Refused, named(e.message.delete_prefix("#{e.code_name}: "))
    end

    def named(message)
      message = message.sub(/\Astrategy\b/, "reservation")
      setting = SETTINGS.find { |one| message.match?(/\A#{one['flag']}\b/) }
      return message unless setting

      name, flag, also = setting.values_at("name", "flag", "also")
      name = also if also && !said?(ENV.fetch(name, nil))
      message.sub(flag, said?(@flags[flag]) ? "--#{flag}" : name)
    end
  end
end
