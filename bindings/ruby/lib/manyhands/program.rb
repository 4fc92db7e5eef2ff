# frozen_string_literal: true

# The module of the Manyhands job system.
module Manyhands
  class << self
    # @api private
    # @return [Array<Proc>] what makes the worker; more than one when several places of the program say so
    def makers = @makers ||= []

    # Says which worker `manyhands-ruby work` and `rake manyhands:work` run. They call the block once, in the master,
    # when everything is loaded; other programs do not. A program says one; the same line may be loaded again.
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

      makers.reject! { |maker| maker.source_location == block.source_location }
      makers << block
      nil
    end
  end
end
