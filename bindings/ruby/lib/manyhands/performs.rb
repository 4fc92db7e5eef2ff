# frozen_string_literal: true

module Manyhands
  # Makes a class or module a kind of job: its handler, and what its puts say when they do not say otherwise.
  #
  # The handler is `self.perform(job)`; or, in a class, `perform(job)`, and then each job gets an object of its own,
  # made by `new`. It is registered by {Worker#perform}.
  #
  # @example
  #   class Welcome
  #     extend Manyhands::Performs
  #     performs "welcome", queue: "mail", retries: 3
  #
  #     def self.perform(job) = deliver(job.data["to"])
  #   end
  #
  #   Welcome.put(client, { to: "ann@example.com" }, delay: 5)
  #   worker.perform(Welcome)
  module Performs
    # What can be said of a kind. What is the worker's affair goes with its puts only where they say it themselves.
    DEFAULTS = %i[queue priority delay retries tags route throttles headers timeout backoff].freeze
    OF_WORKER = %i[timeout backoff].freeze
    NOT_RECURRING = [*OF_WORKER, :delay].freeze
    private_constant :DEFAULTS, :OF_WORKER, :NOT_RECURRING

    # Says what it performs; its subclasses say it for themselves. Called again it replaces what was said.
    #
    # @param kind [String, Symbol] 1 to 255 bytes
    # @param defaults [Hash] see below
    # @option defaults [String] :queue where its jobs are put
    # @option defaults [Integer] :priority as in {Queue#put}, like all that follow; checked when a job is put
    # @option defaults [Numeric] :delay
    # @option defaults [Integer] :retries
    # @option defaults [Array<String>] :tags
    # @option defaults [Array<String>] :route
    # @option defaults [Array<String>] :throttles
    # @option defaults [Hash{String => String}] :headers
    # @option defaults [Numeric] :timeout seconds that its handler may run, see {Worker#perform}
    # @option defaults [Backoff, Numeric, Array<Numeric>] :backoff how long its jobs wait after an error, see the same
    # @return [void]
    # @raise [InvalidArgument] for an unknown option
    def performs(kind, **defaults)
      Wire.check_options(defaults, DEFAULTS, nil)
      @kind = Wire.text(kind, "kind", nil)
      @defaults = defaults.compact.freeze
      nil
    end

    # @return [String] names its jobs
    # @raise [WrongState] before {#performs} was called
    def kind = @kind || raise(WrongState, "#{self} performs nothing yet: say `performs \"its-kind\"`")

    # @return [Hash{Symbol => Object}] what {#performs} was told
    def defaults = @defaults || {}.freeze

    # Puts one of its jobs. Releases the GVL.
    #
    # @param client [Client]
    # @param data [Object] anything JSON can say
    # @param options [Hash] as in {Queue#put}, and :queue; instead of the defaults. nil is the same as not given
    # @return [Placed]
    # @raise [InvalidArgument] naming the argument; also when neither the defaults nor the options name a queue
    # @raise [Error] as {Queue#put}
    def put(client, data = nil, **options)
      kind = self.kind
      options = { **defaults.except(*OF_WORKER), **options.compact }
      queue_of(client, options.delete(:queue), "queue_put").put(kind, data, **options)
    end

    # From now on puts one of its jobs every interval. The default delay is not for recurring jobs. Releases the GVL.
    #
    # @param client [Client]
    # @param data [Object] anything JSON can say
    # @param options [Hash] as in {Queue#put_recurring}, and :queue; instead of the defaults: :interval, and at least a
    #   :jid, or there is one more each time. nil is the same as not given
    # @return [Recurring]
    # @raise [InvalidArgument] naming the argument; also when neither the defaults nor the options name a queue
    # @raise [Error] as {Queue#put_recurring}
    # @example
    #   Count.put_recurring(client, interval: 3600, jid: "hourly")
    def put_recurring(client, data = nil, **options)
      kind = self.kind
      options = { **defaults.except(*NOT_RECURRING), **options.compact }
      queue_of(client, options.delete(:queue), "recurring_put").put_recurring(kind, data, **options)
    end

    private

    def queue_of(client, name, operation)
      Wire.check_class(client, "client", Client)
      Wire.refuse("queue is missing: #{self} has no default", operation) unless name

      client.queue(name)
    end
  end
end
