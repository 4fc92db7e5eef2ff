# frozen_string_literal: true

module Manyhands
  # Blocks that were registered under names, called in the order of their registration.
  #
  # @api private
  class Hooks
    # @param names [Array<Symbol>] those there are
    def initialize(names)
      @hooks = names.to_h { |name| [name, [].freeze] }
    end

    # @param name [Symbol]
    # @param block [Proc]
    # @raise [InvalidArgument] for another name, or without a block
    def add(name, block)
      name = Wire.text(name, "hook", nil).to_sym
      Wire.refuse("hook #{name} is unknown; there are #{@hooks.keys.join(', ')}", nil) unless @hooks.key?(name)
      Wire.refuse("hook #{name} needs a block", nil) unless block

      @hooks[name] = [*@hooks[name], block].freeze
    end

    # @return [Boolean] whether anybody listens
    def any?(name) = !@hooks[name].empty?

    # Calls them all; the block is told what one raises.
    #
    # @yieldparam exception [Exception]
    def tell(name, *about)
      @hooks.fetch(name).each do |hook|
        hook.call(*about)
      rescue Raised::Survived => e
        yield e
      end
    end
  end
  private_constant :Hooks
end
