# frozen_string_literal: true

module Manyhands
  # What a worker was told to do: its handlers, the middleware around them, its hooks.
  #
  # @api private
  class Duties
    # A handler as the innermost of its middleware.
    Handler = Struct.new(:block, :backoff, :timeout_ms) do
      def around_perform(job)
        block.call(job)
      end
    end
    HOOKS = %i[before_perform after_perform failure lock_lost start stop before_fork after_fork].freeze
    private_constant :Handler, :HOOKS

    # @return [Hooks]
    attr_reader :hooks
    # @return [Middleware]
    attr_reader :middleware

    def initialize
      @handlers = {}
      @middleware = Middleware.new(:around_perform)
      @hooks = Hooks.new(HOOKS)
    end

    # @return [Array<String>]
    def kinds = @handlers.keys

    # @return [Handler, nil] of the kind
    def handler(kind) = @handlers[kind]

    # @return [Hash{String => Integer}] the milliseconds that a handler may run, by kind
    def timeouts = @handlers.transform_values(&:timeout_ms).compact

    # @return [Backoff, nil] how long jobs of the kind wait after a failed run
    def backoff(kind) = @handlers[kind]&.backoff

    # @param kind [String]
    # @param handler [#perform, Class, #call] see {Worker#perform}, like the rest
    # @yield to try the new kinds; when it raises the old ones hold
    def add(kind, handler, timeout: nil, backoff: nil)
      timeout_ms = Wire.span(timeout, "timeout", nil, Wire::TIMEOUTS)
      backoff = Backoff.of(backoff) unless backoff.nil?
      handler = Handler.new(block_of(handler), backoff, timeout_ms)
      before = @handlers
      begin
        @handlers = { **before, kind => handler }
        yield
      rescue InvalidArgument
        @handlers = before
        raise
      end
    end

    # Performs a job, middleware and all.
    #
    # @param job [Job]
    # @param handler [Handler] of its kind
    # @return [Object] its result
    def perform(job, handler) = @middleware.around(handler).around_perform(job)

    private

    # Methods are looked up for each job: code may be loaded anew meanwhile.
    def block_of(handler)
      return ->(job) { handler.perform(job) } if handler.respond_to?(:perform)
      return handler if handler.respond_to?(:call)
      return ->(job) { handler.new.perform(job) } if handler.is_a?(Class) && handler.public_method_defined?(:perform)

      Wire.refuse("handler #{handler.inspect} has no perform(job)", nil)
    end
  end
  private_constant :Duties
end
