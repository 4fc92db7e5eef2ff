# frozen_string_literal: true

module Manyhands
  # What became of one put.
  #
  # @!attribute [r] jid
  #   @return [String] the job's id, the caller's own or a generated one
  # @!attribute [r] outcome
  #   @return [String] "put", "replaced" (an older job of that jid gave way), "kept" (the older one stays) or, from
  #     {Queue#put_many}, "exists" (refused by `on_conflict: "reject"`)
  # @!attribute [r] satisfied
  #   @return [Array<String>] those of its dependencies that it need not wait for: completed, or unknown
  Placed = Struct.new(:jid, :outcome, :satisfied)

  # Puts jobs: the innermost of a client's middleware.
  #
  # @api private
  class Placing
    # The arguments of {Queue#put} by name.
    OPTIONS = %i[
      kind data jid priority delay retries tags route throttles headers dependencies missing on_conflict
    ].freeze
    OPERATION = "queue_put"
    # Whether a refusal is raised, or told as an outcome among others.
    ONE = true
    MANY = false

    # What the caller of {Queue#put_many} gave, as middleware sees it.
    #
    # @param queue [String]
    # @param jobs [Array<Hash{Symbol => Object}>]
    # @return [Array<Hash{Symbol => Object}>] new ones, with their queue
    # @raise [InvalidArgument]
    def self.puts(queue, jobs)
      Wire.refuse("jobs must be an Array, not #{jobs.class}", OPERATION) unless jobs.is_a?(Array)

      jobs.each_with_index.map do |job, index|
        Wire.refuse("jobs[#{index}] must be a Hash, not #{job.class}", OPERATION) unless job.is_a?(Hash)

        Wire.check_options(job, OPTIONS, OPERATION, jobs.one? ? "" : "jobs[#{index}].")
        { **job, queue: }
      end
    end

    # The jobs as the core reads them.
    #
    # @param puts [Array<Hash{Symbol => Object}>]
    # @return [Array<Hash{Symbol => Object}>]
    # @raise [InvalidArgument] for what can be told here to be wrong
    def self.items(puts)
      puts.each_with_index.map do |put, index|
        within = puts.one? ? "" : "jobs[#{index}]."
        delay_ms = Wire.span(put[:delay], "#{within}delay", OPERATION)
        Wire.check_options(put, [*OPTIONS, :queue], OPERATION, within)
        put.each { |option, value| Wire.check(value, "#{within}#{option}", OPERATION) }
        { **put.except(:delay), delay_ms: }
      end
    end

    # @param native [Native::Client]
    # @param one [Boolean] ONE or MANY
    def initialize(native, one)
      @native = native
      @one = one
    end

    # @param puts [Array<Hash{Symbol => Object}>]
    # @return [Array<Placed>] one per job, in order
    def around_put(puts)
      jobs = Placing.items(puts)
      replies = Wire.parse(@native.call(OPERATION, JSON.generate({ jobs: }, max_nesting: 0)))
      refused = replies.find { |reply| reply["error"] } if @one
      raise Error.from(refused["error"]) if refused

      replies.map { |reply| placed_of(reply) }
    end

    private

    def placed_of(reply)
      Placed.new(reply.fetch("jid"), reply.fetch("outcome"), reply.fetch("satisfied", [])).freeze
    end
  end
  private_constant :Placing

  # A {Client}'s middleware and hooks around its puts.
  module Putting
    # @api private
    # @return [Testing::Diversion, nil] has puts go elsewhere than to the server
    attr_accessor :diversion

    # Puts a module around every put of this client ({Queue#put} and {Queue#put_many}); the first one registered is the
    # outermost.
    #
    # Its `around_put(puts)` calls `super` for the next module and in the end for the server, and returns the {Placed}
    # of each job: what `super` returned, or others. Without `super` nothing is put. `puts` are Hashes with :queue,
    # :kind, :data and the options that were given; they may be changed. Every call gets an object of its own.
    #
    # @param middleware [Module] with a public method `around_put`; one that has `around_perform` too can also be given
    #   to {Worker#use}
    # @return [self]
    # @raise [InvalidArgument] for anything else
    # @example
    #   module Stamped
    #     def around_put(puts)
    #       puts.each { |put| put[:tags] = [*put[:tags], "by-#{Process.pid}"] }
    #       super
    #     end
    #   end
    #   client.use(Stamped)
    def use(middleware)
      @put_middleware.use(middleware)
      self
    end

    # Registers what to call around every put of this client; of several, in their order. What it raises is written to
    # standard error and changes nothing: who wants to change what happens uses middleware ({#use}).
    #
    # - `:before_put` (puts) before the middleware
    # - `:after_put` (puts, placed) when they are put
    #
    # @param hook [Symbol] one of these names
    # @return [self]
    # @raise [InvalidArgument] for another name, or without a block
    def on(hook, &block)
      @put_hooks.add(hook, block)
      self
    end

    # Puts jobs, middleware and all.
    #
    # @api private
    # @return [Array<Placed>]
    def place(queue, jobs, one)
      puts = Placing.puts(queue, jobs)
      tell_hooks(:before_put, puts)
      placing = Placing.new(native, one)
      placed = @put_middleware.around(diversion ? diversion.in_place_of(placing) : placing).around_put(puts)
      unless placed.is_a?(Array)
        raise WrongState, "around_put returned #{placed.inspect}, not an Array such as super returns"
      end

      tell_hooks(:after_put, puts, placed)
      placed
    end

    private

    def tell_hooks(name, *about)
      @put_hooks.tell(name, *about) { |e| warn("manyhands: on_#{name} raised #{Raised.line(e)}") }
    end
  end
end
