# frozen_string_literal: true

module Manyhands
  module Testing
    # Lets each put perform what may run before it returns. Get it by {Testing.inline}.
    class Inline < Diversion
      # @api private
      def initialize(worker)
        super(worker.client)
        @worker = worker
      end

      # @api private
      def in_place_of(placing)
        @placing = placing
        dup
      end

      # @api private
      def around_put(puts)
        placed = @placing.around_put(puts)
        Testing.drain(@worker)
        placed
      end
    end
  end
end
