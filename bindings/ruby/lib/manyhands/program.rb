# frozen_string_literal: true

# The module of the Manyhands job system.
module Manyhands
  class << self
    # @api private
    # @return [Proc, nil] makes the worker
    attr_reader :maker

    # Says which worker `manyhands-ruby work` and `rake manyhands:work` run. They call the block once, in the master,
    # when everything is loaded; other programs do not.
    #
    # @yieldreturn [Worker] not started
    # @return [void]
    # @raise [InvalidArgument] without a block
    # @example
    #   Manyhands.worker do
    #     Manyhands::Worker.new(Manyhands::Client.new, queues: ["mail"]).perform(Welcome)
    #   end
    def worker(&block)
      Wire.refuse("worker needs a block", nil) unless block

      @maker = block
      nil
    end
  end
end
