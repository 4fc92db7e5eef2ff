# frozen_string_literal: true

module Manyhands
  # Something that happened to a job.
  #
  # @!attribute [r] event
  #   @return [String] what: put, waiting, scheduled, blocked, throttled, reserved, stalled, completed, failed,
  #     cancelled, track or untrack; on a worker's channel stalled, lost or cancelled
  # @!attribute [r] jid
  #   @return [String] to which job
  # @!attribute [r] queue
  #   @return [String] where the job is now
  # @!attribute [r] kind
  #   @return [String] names its handler
  # @!attribute [r] worker
  #   @return [String, nil] who holds it now; on a worker's channel, that worker
  # @!attribute [r] at
  #   @return [Time] when, by Redis's clock
  Event = Struct.new(:event, :jid, :queue, :kind, :worker, :at)

  # A subscription to events, on a connection of its own. Get it by {Client#events}.
  #
  # Threads share it; each event goes to one of them. It ends by {#close}, by the client's, or by being forgotten
  # (garbage collected). In a forked child it is closed; a child subscribes by itself.
  #
  # When its connection breaks it makes another. With the setting `events` at "all", what happened meanwhile is heard
  # then, in its order and once, before what happens later: Redis keeps the last 10,000 events or so. What cannot be
  # known is missed, as {#gaps} says.
  #
  # @example
  #   client.track([jid])
  #   events = client.events("completed", "failed")
  #   event = events.next(timeout: 60)
  #   events.close
  #
  # Source: core/src/client/events/mod.rs
  class Events
    include Enumerable

    # @api private
    def initialize(native)
      @native = native
    end

    # Waits for the next event. Releases the GVL.
    #
    # @param timeout [Numeric, nil] seconds to wait, 0 or more. nil: until there is one or the subscription is closed
    # @return [Event, nil] nil when the time is over or the subscription is closed
    # @raise [Denied] and what else keeps it from the server and cannot pass by itself; the next call tries again
    # @raise [Closed] in a forked child
    def next(timeout: nil)
      timeout_ms = Wire.span(timeout, "timeout", "events_next")
      text = @native.next(timeout_ms)
      text && event_of(Wire.parse(text))
    end

    # The events one after another, until the subscription is closed. Releases the GVL while it waits.
    #
    # @yieldparam event [Event]
    # @return [self, Enumerator] an Enumerator without a block
    # @raise [Denied, Closed] as {#next}
    def each
      return enum_for(:each) unless block_given?

      while (event = self.next)
        yield event
      end
      self
    end

    # Ends the subscription; a thread that waits for an event is told so at once. Calling it again does nothing.
    #
    # @return [void]
    def close = @native.close

    # @return [Boolean] whether nothing more will come: after a close of this or of its client, and in a forked child
    def closed? = @native.closed?

    # How often events may have been missed, counted when a lost connection is back: where the setting `events` is not
    # "all" or became so only meanwhile, where more happened meanwhile than Redis keeps, and where the login may not use
    # XINFO and XREVRANGE on `{namespace}:events`. For a worker's channel also where any job was cancelled meanwhile:
    # what Redis keeps does not say whose it was.
    #
    # @return [Integer]
    def gaps = @native.gaps

    # @return [String]
    def inspect = "#<#{self.class}#{' closed' if closed?}>"

    private

    def event_of(fields)
      event, jid, queue, kind, worker, at_ms = fields.values_at("event", "jid", "queue", "kind", "worker", "at_ms")
      Event.new(event, jid, queue, kind, worker, Wire.time(at_ms)).freeze
    end
  end
end
