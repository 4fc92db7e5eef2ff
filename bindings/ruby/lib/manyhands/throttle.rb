# frozen_string_literal: true

module Manyhands
  # A limit on how many jobs run at once: of those that name it when they are put, whatever their queue, or of a queue.
  # Get it by {Client#throttle} or {Queue#throttle}.
  #
  # @example
  #   client.throttle("printer").limit = 2
  #   client.queue("print").put("page", { number: 1 }, throttles: ["printer"])
  #
  # Source: core/src/engine/lib/throttle.lua
  class Throttle
    # @return [String, nil] its id; nil for a queue's own
    attr_reader :id
    # @return [String, nil] the queue whose own it is; nil for one with an id
    attr_reader :queue

    # @api private
    def initialize(client, id: nil, queue: nil)
      @client = client
      @id = id
      @queue = queue
      @named = { id:, queue: }.compact
    end

    # All of it in one call. Releases the GVL.
    #
    # @return [Hash{Symbol => Object}] :id and :queue, one of them nil; :limit (nil: none); :held and :pending, how many
    #   jobs hold it and wait for it; :expires, in how many seconds the limit ends (nil: never)
    # @raise [InvalidArgument] for an impossible id or queue
    #
    # Source: core/src/engine/ops/throttle_get.lua
    def counts = Wire.own_units(@client.call("throttle_get", @named))

    # Limits how many of its jobs run at once. A lower limit lets running jobs go on. Releases the GVL.
    #
    # @param limit [Integer] 0 to 1,000,000,000; 0 lets none run
    # @param expires [Numeric, nil] seconds for which the limit holds. Default: for good
    # @return [void]
    # @raise [InvalidArgument] naming the argument; for an id that begins with `queue:`
    #
    # Source: core/src/engine/ops/throttle_set.lua
    def set(limit, expires: nil)
      operation = "throttle_set"
      expires_ms = Wire.span(expires, "expires", operation, 1..Native::MAX_SPAN_MS)
      @client.call(operation, { **@named, limit:, expires_ms: }.compact)
      nil
    end

    # @return [Integer, nil] how many of its jobs may run at once; nil when there is no limit. See {#counts}
    def limit = counts[:limit]

    # Sets the limit for good, or takes it away.
    #
    # @param limit [Integer, nil] see {#set}; nil: {#delete}
    def limit=(limit)
      limit.nil? ? delete : set(limit)
    end

    # @return [Integer] how many jobs hold it: those that run. See {#counts}
    def held = counts[:held]

    # Takes the limit away; jobs that waited for it wait in their queues again. Releases the GVL.
    #
    # @return [Boolean] whether there was one
    #
    # Source: core/src/engine/ops/throttle_delete.lua
    def delete = @client.call("throttle_delete", @named) == 1

    # The jobs that hold it, who began first before others. Releases the GVL.
    #
    # @param offset [Integer] how many to skip
    # @param limit [Integer] 1 to 250
    # @return [JidPage]
    #
    # Source: core/src/engine/ops/throttle_holders.lua
    def holders(offset: 0, limit: 25) = JidPage.ask(@client, "throttle_holders", { **@named, offset:, limit: })

    # The jobs that wait for it, next first. Releases the GVL.
    #
    # @param offset [Integer] how many to skip
    # @param limit [Integer] 1 to 250
    # @return [JidPage]
    #
    # Source: core/src/engine/ops/throttle_pending.lua
    def pending(offset: 0, limit: 25) = JidPage.ask(@client, "throttle_pending", { **@named, offset:, limit: })

    # Takes it off a job, which then holds it no longer and waits for it no longer. Not for a queue's own: move the job
    # to another queue. Releases the GVL.
    #
    # @param jid [String]
    # @return [Boolean] whether the job had it
    # @raise [JobNotFound]
    # @raise [InvalidArgument] for a queue's own
    #
    # Source: core/src/engine/ops/throttle_release.lua
    def release(jid) = @client.call("throttle_release", { **@named, jid: }) == 1

    # @return [String]
    def inspect = "#<#{self.class} #{id ? id.inspect : "of queue #{queue.inspect}"}>"
  end
end
