# frozen_string_literal: true

module Manyhands
  # What an operator does in a client's namespace.
  class Client
    # Lets the jobs of a failure group that failed first wait again, at the end of their line and with all their
    # retries. Releases the GVL.
    #
    # @param group [String]
    # @param queue [String, nil] where to. Default: the queue that each failed in
    # @param limit [Integer] at most so many, 1 to 100
    # @return [Integer] how many; fewer than `limit` when the group is empty now
    # @raise [InvalidArgument]
    #
    # Source: core/src/engine/ops/failure_unfail.lua
    def unfail(group, queue: nil, limit: 25) = call("failure_unfail", { group:, queue:, limit: }.compact)

    # Asks a worker to take no more jobs for good or for now, to take them again, or to end when its jobs have. It
    # learns it within a second. Releases the GVL.
    #
    # @param worker [String] its name, or "*": all that were heard of within a minute, at most 1000
    # @param order [String, Symbol] quiet, pause, resume or stop
    # @return [Integer] how many will learn it: 0 when the one named is not known, or is lost
    # @raise [InvalidArgument]
    #
    # Source: core/src/engine/ops/worker_order.lua
    def order(worker, order) = call("worker_order", { worker:, order: })

    # Drops workers from the list. Jobs that they still have in hand go on, or are handed on when their leases end; a
    # worker that lives is back within a second. Releases the GVL.
    #
    # @param workers [Array<String>] 1 to 250 names
    # @return [Integer] how many were known
    # @raise [InvalidArgument]
    #
    # Source: core/src/engine/ops/worker_deregister.lua
    def deregister(workers) = call("worker_deregister", { workers: })

    # One bounded step of what happens even when no worker asks: leases end, scheduled and recurring jobs become due,
    # what is old is forgotten. Workers and the nanny do this by themselves. Releases the GVL.
    #
    # @param limit [Integer] at most so many jobs, 1 to 100
    # @return [Hash{Symbol => Object}] :moved and :trimmed, how many jobs; :next_due, seconds until something is due, or
    #   nil
    # @raise [InvalidArgument]
    #
    # Source: core/src/engine/ops/sweep.lua
    def sweep(limit: 100) = Wire.own_units(call("sweep", { limit: }))

    # Verifies that everything in the namespace agrees with its jobs' records, in as many bounded steps as it takes.
    # Releases the GVL.
    #
    # @param repair [Boolean] mend what can be mended without guessing
    # @param limit [Integer] how much a step looks at, 1 to 250 keys or members
    # @yieldparam violation [Hash{Symbol => Object}] as soon as it is found
    # @return [Array<Hash{Symbol => Object}>] the violations, each with :rule, :jid (if there is one), :detail and
    #   :repaired; with a block only how many
    # @raise [InvalidArgument] for a bad limit
    # @example
    #   client.check { |violation| warn violation }
    #
    # Source: core/src/engine/ops/check.lua
    def check(repair: false, limit: 200, &block)
      found = []
      block ||= found.method(:<<)
      cursor = ""
      count = 0
      loop do
        cursor, violations = call("check", { cursor:, repair:, limit: }).values_at("cursor", "violations")
        violations.each { |violation| block.call(violation_of(violation)) }
        count += violations.size
        return block_given? ? count : found if cursor.empty?
      end
    end

    private

    def violation_of(reply) = { **Wire.own_units(reply), repaired: reply["repaired"] == 1 }
  end
end
