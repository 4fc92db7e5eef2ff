# frozen_string_literal: true

require "securerandom"

module Manyhands
  # A job that is put again and again, one for every interval that has passed. Comes from {Queue#put_recurring},
  # {Queue#recurring} or {Client#recurring}. Its jobs are called `<jid>-1`, `<jid>-2` and so on, and name it as their
  # {Job#parent}.
  #
  # Its fields are a picture of the moment in which the first of them was asked for, or in which it was changed here.
  # They stay when it is cancelled, and are nil where it was cancelled before there was a picture.
  #
  # Source: core/src/engine/lib/recurring.lua
  class Recurring
    # What can be said when it is put and, but for the offset, changed afterwards.
    OPTIONS = %i[interval offset backlog priority retries tags throttles route headers timeout backoff].freeze
    CHANGES = [*(OPTIONS - [:offset]), :queue, :kind, :data].freeze
    # What of its view stays JSON text, which is read when it is asked for.
    TEXTS = %w[data backoff_ms].freeze
    private_constant :OPTIONS, :CHANGES, :TEXTS

    # @return [String] its id
    attr_reader :jid

    class << self
      # @api private
      # @param client [Client]
      # @param text [String] the JSON text of what recurring_get answers
      def of_view(client, text)
        view = Native.members(text).to_h do |name, value|
          [name.to_sym, TEXTS.include?(name) ? value : Wire.parse(value)]
        end
        new(client, view[:jid], view)
      end

      # @api private
      # @see Queue#put_recurring
      def put(client, queue, kind, data, options)
        operation = "recurring_put"
        Wire.refuse("interval is missing", operation) if options[:interval].nil?

        jid = options[:jid] || SecureRandom.uuid.delete("-")
        client.call(operation, { **settings(options.except(:jid), OPTIONS, operation), jid:, queue:, kind:, data: })
        new(client, jid)
      end

      # Options as the engine reads them; nil is the same as not given, except for data.
      #
      # @api private
      # @return [Hash{Symbol => Object}]
      def settings(options, known, operation)
        Wire.check_options(options, known, operation)
        interval, offset = options.values_at(:interval, :offset)
        interval_ms = Wire.span(interval, "interval", operation, 1..Native::MAX_SPAN_MS)
        offset_ms = Wire.span(offset, "offset", operation)
        others = options.except(:interval, :offset, :timeout, :backoff, :data)
        given = { **others, interval_ms:, offset_ms:, **Wire.limits(options, operation) }.compact
        given.merge(options.slice(:data))
      end
    end

    # @api private
    def initialize(client, jid, view = nil)
      @client = client
      @jid = jid
      @view = view
    end

    # @return [String, nil] names the handler of its jobs
    def kind = view[:kind]

    # @return [String, nil] where its jobs are put
    def queue = view[:queue]

    # @return [String, nil] the data of its jobs as JSON text, byte for byte as it was put
    def raw_data = view[:data]

    # @return [Object] the data of its jobs as Ruby values, with String keys
    def data = raw_data && Wire.parse(raw_data)

    # @return [Float, nil] seconds from one job to the next
    def interval = Wire.seconds(view[:interval_ms])

    # @return [Integer, nil] how many of those that were missed are put at most; 0: all
    def backlog = view[:backlog]

    # @return [Integer, nil] how many jobs it has put
    def count = view[:count]

    # @return [Boolean] see {#pause}
    def paused? = view.fetch(:paused, false)

    # @return [Time, nil] when it puts its next job; nil while it is paused
    def next_at = Wire.time(view[:next_at_ms])

    # @return [Integer, nil] of its jobs, -128 to 127, larger first
    def priority = view[:priority]

    # @return [Integer, nil] how many times each of its jobs may run again
    def retries = view[:retries]

    # @return [Array<String>, nil] the labels of its jobs
    def tags = view[:tags]

    # @return [Array<String>, nil] the throttles of its jobs
    def throttles = view[:throttles]

    # @return [Array<String>, nil] the queues that its jobs go through after the first
    def route = view[:route]

    # @return [Hash{String => String}, nil] the texts that go with its jobs
    def headers = view[:headers]

    # @return [Float, nil] seconds that a run of its jobs may take; nil: as their kind or the worker says
    def timeout = Wire.seconds(view[:timeout_ms])

    # @return [Backoff, nil] how long its jobs wait after a run that failed; nil: as their kind says
    def backoff = Backoff.of_wire(view[:backoff_ms])

    # Changes what is given, from its next job on. The time of that one stays, unless the interval changes: then it is
    # counted from now. Releases the GVL.
    #
    # @param changes [Hash] :interval (seconds), :queue, :kind, :data, :backlog, :priority, :retries, :tags, :throttles,
    #   :route, :headers, :timeout (seconds), :backoff, as in {Queue#put_recurring}; nil is the same as not given,
    #   except for the data
    # @return [self]
    # @raise [InvalidArgument] naming the argument
    # @raise [JobNotFound] when it is cancelled
    #
    # Source: core/src/engine/ops/recurring_update.lua
    def update(**changes)
      operation = "recurring_update"
      change(operation, **self.class.settings(changes, CHANGES, operation))
      self
    end

    # Ends it; the jobs it has put stay. Releases the GVL.
    #
    # @return [Boolean] whether it was there
    #
    # Source: core/src/engine/ops/recurring_cancel.lua
    def cancel
      view # which is nowhere else in a moment
      @client.call("recurring_cancel", { jids: [jid] }) == 1
    end

    # Adds labels to those that its jobs will have. Releases the GVL.
    #
    # @param tags [Array<String>] 1 to 32; it may have 32 in all
    # @return [Array<String>] those it has now
    # @raise [InvalidArgument, JobNotFound] as {#update}
    #
    # Source: core/src/engine/ops/recurring_tag.lua
    def tag(*tags) = change("recurring_tag", tags:)

    # Takes labels off those that its jobs will have. Releases the GVL.
    #
    # @param tags [Array<String>] 1 to 32
    # @return [Array<String>] those it has now
    # @raise [InvalidArgument, JobNotFound] as {#update}
    #
    # Source: core/src/engine/ops/recurring_untag.lua
    def untag(*tags) = change("recurring_untag", tags:)

    # Puts nothing until it is resumed. Releases the GVL.
    #
    # @return [Boolean] whether it was not paused before
    # @raise [JobNotFound] when it is cancelled
    #
    # Source: core/src/engine/ops/recurring_pause.lua
    def pause = change("recurring_pause") == 1

    # Goes on at the first of its instants that is still to come; what was missed meanwhile is not made up for. Releases
    # the GVL.
    #
    # @return [Boolean] whether it was paused before
    # @raise [JobNotFound] when it is cancelled
    #
    # Source: core/src/engine/ops/recurring_resume.lua
    def resume = change("recurring_resume") == 1

    # @return [String]
    def inspect = "#<#{self.class} #{jid}>"

    protected

    # @api private
    def view
      @view ||= @client.recurring(jid)&.view || {}
    end

    private

    # What it answers; its fields are read anew when one is asked for.
    def change(operation, **arguments)
      reply = @client.call(operation, { jid:, **arguments })
      @view = nil
      reply
    end
  end
end
