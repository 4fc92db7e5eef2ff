# frozen_string_literal: true

module Manyhands
  # The settings of a client's namespace, kept in Redis and shared by every client and worker. Get it by
  # {Client#config}.
  #
  # Names, units and defaults: heartbeat (seconds, 60), grace-period (seconds, 10), jobs-history (seconds, 7 days),
  # jobs-history-count (jobs, 50000), stats-history (seconds, 30 days), max-worker-age (seconds, a day; workers silent
  # for longer are forgotten), max-data (bytes, 1 MiB), events ("tracked": those of tracked jobs, or "all") and, for
  # tests, test-clock (milliseconds since 1970, or "off"). heartbeat and grace-period can also be set per queue.
  #
  # Source: core/src/engine/ops/config_get.lua, core/src/engine/ops/config_set.lua
  class Config
    # @api private
    def initialize(client)
      @client = client
    end

    # Reads a setting: the one in force, or its default. Releases the GVL.
    #
    # @param name [String] a setting's name
    # @param queue [String, nil] ask for this queue's own value, which falls back to the namespace's
    # @return [Numeric, String] seconds for spans, a number or text for the others
    # @raise [InvalidArgument] for an unknown name
    # @example
    #   client.config.get("heartbeat") # => 60
    #
    # Source: core/src/engine/ops/config_get.lua
    def get(name, queue: nil)
      @client.call("config_get", { name:, queue:, unit: "s" }.compact)
    end

    # Changes a setting for everybody in the namespace, from the next call on. Releases the GVL.
    #
    # @param name [String] a setting's name
    # @param value [Numeric, String, nil] spans in seconds; nil goes back to the default
    # @param queue [String, nil] set it for this queue only: heartbeat and grace-period
    # @return [void]
    # @raise [InvalidArgument] for an unknown name or a value out of range
    # @example
    #   client.config.set("heartbeat", 2, queue: "mail")
    #
    # Source: core/src/engine/ops/config_set.lua
    def set(name, value, queue: nil)
      of_queue = queue.nil? ? {} : { queue: }
      @client.call("config_set", { name:, value:, unit: "s", **of_queue })
      nil
    end

    # Puts a setting's default back; for a queue, what holds for all queues. Releases the GVL.
    #
    # @param name [String] a setting's name
    # @param queue [String, nil] only what this queue has of its own
    # @return [void]
    # @raise [InvalidArgument] for an unknown name
    #
    # Source: core/src/engine/ops/config_unset.lua
    def unset(name, queue: nil)
      @client.call("config_unset", { name:, queue: }.compact)
      nil
    end

    # Reads every setting. Releases the GVL.
    #
    # @return [Hash{Symbol => Hash}] :values in force and :defaults, both by name; :queues, by queue, what it has of its
    #   own by name. Spans in seconds
    #
    # Source: core/src/engine/ops/config_all.lua
    def all = @client.call("config_all", { unit: "s" }).transform_keys(&:to_sym)
  end
end
