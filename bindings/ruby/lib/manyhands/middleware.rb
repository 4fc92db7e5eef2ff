# frozen_string_literal: true

module Manyhands
  # Modules around a call, the first registered outermost; `super` in one of them is the next.
  #
  # A job and a put each get objects of their own, one per module: their instance variables last for that one call, and
  # modules do not see one another's.
  #
  # @api private
  class Middleware
    # What `super` finds in a module: whoever comes next.
    class Link
      def initialize(inner)
        @manyhands_inner = inner
        @manyhands_called = false
      end

      # @see Worker#use
      def around_perform(job)
        check_first_call("around_perform")
        @manyhands_inner.around_perform(job)
      end

      # @see Client#use
      def around_put(puts)
        check_first_call("around_put")
        @manyhands_inner.around_put(puts)
      end

      private

      def check_first_call(name)
        raise WrongState, "super was called a second time in #{name}" if @manyhands_called

        @manyhands_called = true
      end
    end
    private_constant :Link

    # @param call [Symbol] :around_perform or :around_put
    def initialize(call)
      @call = call
      @links = [].freeze
    end

    # @param middleware [Module]
    # @raise [InvalidArgument] for anything else, or when it lacks the method
    def use(middleware)
      unless middleware.is_a?(Module) && !middleware.is_a?(Class)
        Wire.refuse("middleware must be a Module, not #{middleware.inspect}", nil)
      end
      Wire.refuse("#{middleware} has no method #{@call}", nil) unless middleware.public_method_defined?(@call)

      # A whole new list: another thread may be walking through the old one.
      @links = [*@links, Class.new(Link) { include middleware }].freeze
    end

    # @return [Boolean] whether there are modules
    def any? = @links.any?

    # @param innermost [Object] has the call's method
    # @return [Object] has it too: the outermost of all
    def around(innermost)
      return innermost if @links.empty?

      @links.reverse_each.inject(innermost) { |inner, link| link.new(inner) }
    end
  end
  private_constant :Middleware
end
