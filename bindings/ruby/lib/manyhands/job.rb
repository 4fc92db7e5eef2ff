# frozen_string_literal: true

module Manyhands
  # One unit of work. Comes from a {Worker}, {Queue#reserve}, {Client#job} or {Job.build}.
  #
  # Its {#kind}, {#queue}, {#worker} and {#token} are frozen: jobs that were reserved share them where they are equal.
  #
  # Source: core/src/ops/job.rs
  class Job
    # Means "not given" where nil is a value.
    UNCHANGED = Object.new.freeze
    RUNNING = "running"
    # What it is made of, in this order. A job that was reserved comes without the last two, and most without the two
    # before them.
    FIELDS = %i[
      jid kind queue data priority retries remaining token put_at_ms worker tags route throttles headers parent tracked
      timeout_ms backoff_ms state stalled
    ].freeze
    # What of a job view stays JSON text.
    TEXTS = %w[data backoff_ms].freeze
    # What is frozen: those of a job that was reserved come so.
    SHARED = %i[kind queue token worker].freeze
    private_constant :UNCHANGED, :RUNNING, :FIELDS, :TEXTS, :SHARED

    # @return [String] its id
    attr_reader :jid
    # @return [String] names its handler
    attr_reader :kind
    # @return [String] where it is
    attr_reader :queue
    # @return [Integer] -128 to 127, larger first
    attr_reader :priority
    # @return [Integer] how many times it may run again after its first run
    attr_reader :retries
    # @return [Integer] how many of these are left
    attr_reader :remaining
    # @return [String, nil] who holds it; nil when nobody does
    attr_reader :worker
    # @return [String, nil] proves the lease; nil when nobody holds it
    attr_reader :token
    # @return [Backoff, nil] how long it waits after a run that failed, when its put said so; nil: as its kind says
    attr_reader :backoff
    # @return [String, nil] the recurring job that put it
    attr_reader :parent
    # @return [String] waiting, scheduled, blocked, throttled, running, failed or completed; of a job in hand: running,
    #   and after its end what became of it
    attr_reader :state
    # @return [String] the data as JSON text, byte for byte as it was put (or as the assignment to {#data=} made it)
    attr_reader :raw_data

    # The server of a job that was built.
    class NoServer
      def call(operation, _) = raise(WrongState.new("the job was built: it reaches no server", operation:))
    end
    private_constant :NoServer

    class << self
      # Makes a job without a server, to test a handler with. Nobody holds it, so it cannot be completed.
      #
      # @param kind [String] names its handler
      # @param data [Object] anything JSON can say
      # @param jid [String] as in {Queue#put}, like all that follow
      # @param queue [String]
      # @param priority [Integer]
      # @param retries [Integer]
      # @param tags [Array<String>]
      # @param route [Array<String>]
      # @param throttles [Array<String>]
      # @param headers [Hash{String => String}]
      # @param timeout [Numeric, nil]
      # @param backoff [Backoff, Numeric, Array<Numeric>, nil]
      # @return [Job]
      # @raise [InvalidArgument] for data that JSON cannot say, and for a timeout or backoff that no put may have
      # @example
      #   assert_equal "greeted ann", Welcome.perform(Manyhands::Job.build("welcome", { to: "ann" }))
      def build(kind, data = nil, jid: "built", queue: "built", priority: 0, retries: 5, tags: [], route: [],
                throttles: [], headers: {}, timeout: nil, backoff: nil)
        names = { jid:, kind:, queue: }.to_h { |argument, text| [argument, Wire.text(text, argument.name, nil)] }
        lists = { tags:, route:, throttles: }.to_h do |argument, texts|
          [argument, texts.map { |text| Wire.text(text, argument.name, nil) }]
        end
        headers = headers.to_h { |name, text| [Wire.text(name, "headers", nil), Wire.text(text, "headers", nil)] }
        limits = Wire.limits({ timeout:, backoff: }, nil)
        limits[:backoff_ms] = Wire.json(limits[:backoff_ms], "backoff", nil)
        fields = { **names, **lists, headers:, data: Wire.json(data, "data", nil), priority:, retries:, **limits }
        state = { remaining: retries, tracked: false, state: "running", stalled: false, put_at_ms: 0 }
        unheld({ **fields, **state }, NoServer.new)
      end

      # @api private
      # @param reply [String] the JSON text of a job view; who looked it up does not hold it
      def of_view(reply, native)
        view = view(reply)
        unheld(view, native, view)
      end

      # @api private
      # @return [Hash{Symbol => Object}] the members of a job view; data stays text
      def view(reply)
        Native.members(reply).to_h { |name, text| [name.to_sym, TEXTS.include?(name) ? text : Wire.parse(text)] }
      end

      private

      # @param fields [Hash{Symbol => Object}] nobody else's
      def unheld(fields, native, view = nil)
        fields.values_at(*SHARED).each(&:freeze)
        new(fields.values_at(*FIELDS), nil, native, view)
      end
    end

    # @api private
    # @param fields [Array] as ext/job.rs makes them
    def initialize(fields, holder, native, view = nil)
      @jid, @kind, @queue, @raw_data, @priority, @retries, @remaining, @token, @put_at_ms, @worker, @tags, @route,
        @throttles, @headers, @parent, @tracked, @timeout_ms, backoff, state, stalled = fields
      @backoff = backoff && Backoff.of_wire(backoff)
      @state = state || RUNNING # who reserved it knows that
      @stalled = stalled || false
      @holder = holder
      @native = native
      @view = view
      @data = UNCHANGED
      @data_changed = false
    end

    # @return [Array<String>] its labels
    def tags = @tags ||= []

    # @return [Array<String>] the queues it still goes through after this one
    def route = @route ||= []

    # @return [Array<String>] the throttles that it holds while it runs
    def throttles = @throttles ||= []

    # @return [Hash{String => String}] the texts that go with it through all stages
    def headers = @headers ||= {}

    # @return [Float, nil] seconds that a run of it may take, when its put said so ({#timeout} ends a run); nil: as its
    #   kind or the worker says
    def run_timeout = Wire.seconds(@timeout_ms)

    # @return [Time] when it was put
    def put_at = Wire.time(@put_at_ms)

    # @return [Boolean] running, but past the end of its lease
    def stalled? = @stalled

    # @return [Boolean] whether events tell what happens to it
    def tracked? = @tracked

    # The data as Ruby values, with String keys, parsed when first asked for.
    #
    # @return [Object]
    def data
      @data = Wire.parse(raw_data) if UNCHANGED.equal?(@data)
      @data
    end

    # Gives the job new data, which travels with its completion as it is now: changing a part of it later does not, nor
    # does changing a part of the old data.
    #
    # @param value [Object] anything JSON can say
    # @raise [InvalidArgument] for what JSON cannot say
    def data=(value)
      @raw_data = Wire.json(value, "data", "job_complete")
      @data = UNCHANGED
      @data_changed = true
    end

    # What middleware and the handler tell one another during one run of the job. Empty at its begin, never stored.
    #
    # @return [Hash]
    def locals = @locals ||= {}

    # The eight that follow a job in hand does not carry: the first one asked for reads them all in one call, which
    # releases the GVL. They are empty for a job that exists no more. One that was changed here is read anew.

    # @return [Object, nil] what its handler returned when it was last completed
    def result = view[:result]

    # @return [Hash{Symbol => Object}, nil] why it failed or had to run again: :group, :message, :trace, :at (a Time)
    #   and :worker
    def failure = Wire.own_units(view[:failure])

    # @return [Hash{Symbol => Object}, nil] what {#progress} said last: :value, :note and :at (a Time); nil when nothing
    def progressed = Wire.own_units(view[:progress])

    # @return [Time, nil] when a scheduled job becomes due
    def due_at = Wire.time(view[:due_at_ms])

    # @return [Time, nil] when a running job's lease ends
    def lease_until = Wire.time(view[:lease_until_ms])

    # @return [Array<String>] the jids that it still waits for
    def dependencies = view.fetch(:dependencies, [])

    # @return [Array<String>] the jids that wait for it, the first 256
    def dependents = view.fetch(:dependents, [])

    # What happened to it, oldest first, at most 100 entries.
    #
    # @return [Array<Hash{Symbol => Object}>] :what (put, reserved, completed, retried, snoozed, failed, lost,
    #   timed_out, requeued, log), :at (a Time) and what belongs to it: :queue, :worker, :run (seconds), :group,
    #   :message, :data
    #
    # Source: core/src/engine/ops/job_get.lua
    def history
      view.fetch(:history, []).map do |entry|
        { **Wire.own_units(entry.except("data")), **entry.slice("data").transform_keys(&:to_sym) }
      end
    end

    # @see Client#explain
    # @return [Hash{Symbol => Object}, nil]
    def explain = Wire.own_units(ask("job_explain", jid:))

    # @return [String]
    def inspect = "#<#{self.class} #{jid} #{kind.inspect} in #{queue.inspect}, #{state}>"

    private

    def ask(operation, **arguments) = Wire.parse(@native.call(operation, Wire.object(arguments, operation)))

    def view
      @view ||= begin
        reply = @native.call("job_get", Wire.object({ jid: }, "job_get"))
        reply == "null" ? {} : self.class.view(reply)
      end
    end
  end
end
