# frozen_string_literal: true

module Manyhands
  # The saved lists of queue patterns of a client's namespace, which workers follow as they change. Get it by
  # {Client#patterns}.
  #
  # Source: core/src/engine/lib/patterns.lua
  class Patterns
    # @api private
    def initialize(client)
      @client = client
    end

    # Reads both lists. Releases the GVL.
    #
    # @return [Hash{Symbol => Object}] :identifiers, a Hash of names to Arrays of patterns (`@name` stands for them);
    #   :priorities, an Array of Hashes of :patterns and :fair (whether they take turns at being first): the order in
    #   which "ordered" workers on patterns serve their queues; those that none names come last
    #
    # Source: core/src/engine/ops/pattern_get.lua
    def get
      identifiers, priorities = @client.call("pattern_get").values_at("identifiers", "priorities")
      { identifiers:, priorities: priorities.map { |one| one.transform_keys(&:to_sym) } }
    end

    # Replaces one of the lists, or both. Releases the GVL.
    #
    # @param identifiers [Hash{String => Array<String>}, nil] at most 256 names, each of at most 256 patterns. Default:
    #   those there are
    # @param priorities [Array<Hash{Symbol => Object}>, nil] at most 256 of :patterns and :fair (default false).
    #   Default: those there are
    # @return [void]
    # @raise [InvalidArgument] naming what is wrong, or when neither is given
    # @example
    #   client.patterns.set(identifiers: { "mails" => ["mail-*", "!mail-bulk"] })
    #
    # Source: core/src/engine/ops/pattern_set.lua
    def set(identifiers: nil, priorities: nil)
      @client.call("pattern_set", { identifiers:, priorities: }.compact)
      nil
    end
  end
end
