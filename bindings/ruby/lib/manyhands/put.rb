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
      kind data jid priority delay retries tags route throttles headers timeout backoff dependencies missing on_conflict
    ].freeze
    # And the one that says where to; first, as every put has it, and it is looked for from the front.
    WITH_QUEUE = [:queue, *OPTIONS].freeze
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
      check_list(jobs)
      to = { queue: }.freeze
      each_placed(jobs) do |job, within|
        Wire.check_options(job, OPTIONS, OPERATION, within)
        job.merge(to)
      end
    end

    # Refuses what is no list of jobs.
    #
    # @raise [InvalidArgument]
    def self.check_list(jobs)
      Wire.refuse("jobs must be an Array, not #{jobs.class}", OPERATION) unless jobs.is_a?(Array)
      return if jobs.all?(Hash)

      index = jobs.index { |job| !job.is_a?(Hash) }
      Wire.refuse("jobs[#{index}] must be a Hash, not #{jobs[index].class}", OPERATION)
    end

    # The jobs as the core reads them.
    #
    # @param puts [Array<Hash{Symbol => Object}>]
    # @param known [Array<Symbol>] their options
    # @return [Array<Hash{Symbol => Object}>]
    # @raise [InvalidArgument] for what can be told here to be wrong
    def self.items(puts, known = WITH_QUEUE)
      each_placed(puts) do |put, within|
        as_it_is = true
        put.each do |option, value|
          case option
          when :delay, :timeout, :backoff then as_it_is = false
          else
            Wire.refuse_option(option, OPERATION, within) unless known.include?(option)
            Wire.check(value, within.empty? ? option.name : "#{within}#{option}", OPERATION)
          end
        end
        as_it_is ? put : in_core_units(put, within)
      end
    end

    # Those that the core has in milliseconds are called otherwise there.
    def self.in_core_units(put, within)
      delay_ms = Wire.span(put[:delay], "#{within}delay", OPERATION)
      limits = Wire.limits(put, OPERATION, within)
      { **put.except(:delay, :timeout, :backoff), **{ delay_ms: }.compact, **limits }
    end
    private_class_method :in_core_units

    # Maps jobs. Only when one of several is wrong the block is told which it is: to say so costs as much as to look.
    #
    # @yieldparam job [Hash{Symbol => Object}]
    # @yieldparam within [String] what errors put before the name of its option
    def self.each_placed(jobs)
      jobs.map { |job| yield job, "" }
    rescue InvalidArgument
      raise if jobs.size == 1

      jobs.each_with_index.map { |job, index| yield job, "jobs[#{index}]." }
    end
    private_class_method :each_placed

    # @param native [Native::Client]
    # @param one [Boolean] ONE or MANY
    def initialize(native, one)
      @native = native
      @one = one
    end

    # @param puts [Array<Hash{Symbol => Object}>]
    # @return [Array<Placed>] one per job, in order
    def around_put(puts) = put(Placing.items(puts), nil)

    # Puts what nobody is to see on its way: no job need say its queue.
    #
    # @param queue [String]
    # @param jobs [Array<Hash{Symbol => Object}>] as the caller of {Queue#put_many} gave them
    # @return [Array<Placed>] one per job, in order
    # @raise [InvalidArgument]
    def straight(queue, jobs)
      Placing.check_list(jobs)
      put(Placing.items(jobs, OPTIONS), Wire.text(queue, "queue", OPERATION))
    end

    private

    def put(items, queue) = @native.put(JSON.generate(items, max_nesting: 0), queue, @one, Placed)
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
      placing = Placing.new(native, one)
      return placing.straight(queue, jobs) unless watched?

      puts = Placing.puts(queue, jobs)
      tell_hooks(:before_put, puts)
      placed = @put_middleware.around(diversion ? diversion.in_place_of(placing) : placing).around_put(puts)
      unless placed.is_a?(Array)
        raise WrongState, "around_put returned #{placed.inspect}, not an Array such as super returns"
      end

      tell_hooks(:after_put, puts, placed)
      placed
    end

    private

    # Whether anybody sees puts on their way.
    def watched?
      @put_hooks.any?(:before_put) || @put_hooks.any?(:after_put) || @put_middleware.any? || !diversion.nil?
    end

    def tell_hooks(name, *about)
      @put_hooks.tell(name, *about) { |e| warn("manyhands: on_#{name} raised #{Raised.line(e)}") }
    end
  end
end
