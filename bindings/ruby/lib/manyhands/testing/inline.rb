# frozen_string_literal: true

module Manyhands
  module Testing
    # Lets each put perform what may run before it returns. Get it by {Testing.inline}.
    class Inline < Diversion
      # Each put has its own: several threads may put.
      OnePut = Struct.new(:worker, :placing) do
        def around_put(puts)
          placed = placing.around_put(puts)
          Testing.drain(worker)
          placed
        end
      end
      private_constant :OnePut

      # @api private
      def initialize(worker)
        super(worker.client)
        @worker = worker
      end

      # @api private
      def in_place_of(placing) = OnePut.new(@worker, placing)
    end
  end
end
