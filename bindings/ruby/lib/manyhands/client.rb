# frozen_string_literal: true

module Manyhands
  # A connection to the jobs of one namespace in one Redis.
  #
  # Threads share it, and forked children may go on using it. It connects when first used, not when made.
  #
  # @example
  #   client = Manyhands::Client.new
  #   client.queue("mail").put("welcome", { to: "ann@example.com" })
  #
  # Source: core/src/client/
  class Client
    include Putting

    # @api private
    # @return [Native::Client]
    attr_reader :native

    # Describes the connection; only checks its arguments.
    #
    # @param url [String, nil] redis://, rediss:// (TLS, with ?ca=FILE&cert=FILE&key=FILE as needed; docs/urls.md),
    #   unix:// or embedded:DIR (a private server kept in DIR). Default: MANYHANDS_URL, else REDIS_URL, else
    #   embedded:.manyhands
    # @param namespace [String, nil] 1 to 64 of A-Z a-z 0-9 _ -; jobs of other namespaces are out of sight. Default "mh"
    # @param timeout [Numeric, nil] seconds during which a call is repeated while Redis is away, 0.001 to 600.
    #   Default 60
    # @param engine_upgrade [String, nil] "auto" (load the engine and replace older ones) or "manual". Default: auto for
    #   embedded: and an empty server, else manual
    # @raise [InvalidArgument] naming a bad or unknown option, or a file of the URL that cannot be used
    # @raise [UnsupportedUrl] for another kind of URL
    #
    # Source: core/src/options.rs, core/src/url.rs
    def initialize(url = nil, namespace: nil, timeout: nil, engine_upgrade: nil, **unknown)
      Wire.check_options(unknown, [], nil)
      url &&= Wire.text(url, "url", nil)
      timeout_ms = Wire.span(timeout, "timeout", nil, 1..Native::MAX_TIMEOUT_MS)
      @options = { namespace:, timeout_ms:, engine_upgrade: }.compact
      @native = Native::Client.open(url, Wire.object(@options, nil))
      @put_middleware = Middleware.new(:around_put)
      @put_hooks = Hooks.new(%i[before_put after_put])
      @diversion = nil
    end

    # Makes a client, yields it and closes it, whatever happens in the block.
    #
    # @param url [String, nil] see {#initialize}
    # @param options [Hash] see {#initialize}
    # @yieldparam client [Client]
    # @return [Object] what the block returns
    # @example
    #   Manyhands::Client.open { |client| client.queue("mail").counts }
    def self.open(url = nil, **options)
      client = new(url, **options)
      yield client
    ensure
      client&.close
    end

    # Goes elsewhere from now on, with the queues that it has given out: a command's settings win over what the program
    # said.
    #
    # @api private
    # @param url [String, nil] nil: where it was
    # @param namespace [String, nil] nil: as it was
    # @raise [InvalidArgument, UnsupportedUrl]
    def move(url, namespace)
      return unless url || namespace

      @options = { **@options, namespace: }.compact if namespace
      @native = Native::Client.open(url || self.url, Wire.object(@options, nil))
    end

    # @return [String] where the jobs are: the given URL or the default that was found
    def url = @native.url

    # @return [String] the namespace whose jobs this client sees
    def namespace = @native.namespace

    # @return [Config] the namespace's settings
    def config = Config.new(self)

    # @return [Patterns] the namespace's saved lists of queue patterns
    def patterns = Patterns.new(self)

    # The queue of this name; it comes into being with its first job.
    #
    # @param name [String] 1 to 255 bytes of UTF-8 without control characters; checked when used
    # @return [Queue]
    def queue(name) = Queue.new(self, name)

    # The throttle of this id; it limits nothing until {Throttle#set}.
    #
    # @param id [String] 1 to 255 bytes, not beginning with `queue:`; checked when used
    # @return [Throttle]
    def throttle(id) = Throttle.new(self, id:)

    # Looks a job up, whatever its state. The result is a picture of this moment. Releases the GVL.
    #
    # @param jid [String] the job's id
    # @return [Job, nil] nil when there is no such job (any more)
    # @raise [InvalidArgument] for an impossible jid
    #
    # Source: core/src/engine/ops/job_get.lua
    def job(jid)
      reply = @native.call("job_get", Wire.object({ jid: }, "job_get"))
      reply == "null" ? nil : Job.of_view(reply, @native)
    end

    # Looks several jobs up. Releases the GVL.
    #
    # @param jids [Array<String>] at most 250
    # @return [Array<Job, nil>] in the order of the jids; nil where there is no such job (any more)
    # @raise [InvalidArgument]
    #
    # Source: core/src/engine/ops/job_get_many.lua
    def jobs(jids)
      found, rest = pictures("job_get_many", { jids: })
      found.concat(pictures_of_rest(rest))
    end

    # The recurring job of that jid. Releases the GVL.
    #
    # @param jid [String] its id
    # @return [Recurring, nil] nil when there is none (any more)
    # @raise [InvalidArgument] for an impossible jid
    #
    # Source: core/src/engine/ops/recurring_get.lua
    def recurring(jid)
      reply = @native.call("recurring_get", Wire.object({ jid: }, "recurring_get"))
      reply == "null" ? nil : Recurring.of_view(self, reply)
    end

    # Lets jobs disappear, in whatever state they are. Who runs one learns it: its lease is lost as cancelled. Releases
    # the GVL.
    #
    # @param jids [Array<String>] 1 to 250
    # @return [Array<String>] those that were there
    # @raise [HasDependents] when a job waits for one of them and is not cancelled with it; none is cancelled then
    # @raise [InvalidArgument]
    #
    # Source: core/src/engine/ops/job_cancel.lua
    def cancel(jids) = call("job_cancel", { jids: })

    # From now on events tell what happens to these jobs. Releases the GVL.
    #
    # @param jids [Array<String>] 1 to 250; those without a job are passed over
    # @return [Integer] how many were not tracked before
    # @raise [InvalidArgument]
    #
    # Source: core/src/engine/ops/job_track.lua
    def track(jids) = call("job_track", { jids: })

    # Events no longer tell of these jobs. Releases the GVL.
    #
    # @param jids [Array<String>] 1 to 250
    # @return [Integer] how many were tracked before
    # @raise [InvalidArgument]
    #
    # Source: core/src/engine/ops/job_untrack.lua
    def untrack(jids) = call("job_untrack", { jids: })

    # Why a job is not running, or what has become of it. Releases the GVL.
    #
    # @param jid [String] the job's id
    # @return [Hash{Symbol => Object}, nil] :jid, :state, :queue; :reasons, each a Hash with :why and what belongs to it
    #   (spans in seconds); :position, how many of its queue come before it (nil unless it waits); :estimated_wait
    #   (seconds; nil when there are no figures). nil when there is no such job
    # @raise [InvalidArgument] for an impossible jid
    #
    # Source: core/src/engine/ops/job_explain.lua
    def explain(jid) = Wire.own_units(call("job_explain", { jid: }))

    # Jobs of a reply that has `jobs` and `rest`.
    #
    # @api private
    # @return [Array(Array<Job, nil>, Array<String>)] the jobs, and the jids to ask for again
    def pictures(operation, arguments)
      jobs, rest = Native.members(@native.call(operation, Wire.object(arguments, operation))).values_at("jobs", "rest")
      found = Native.items(jobs).map { |text| text == "null" ? nil : Job.of_view(text, @native) }
      [found, Wire.parse(rest)]
    end

    # @api private
    # @return [Array<Job, nil>]
    def pictures_of_rest(rest) = rest.empty? ? [] : jobs(rest)

    # Subscribes to what happens to jobs, on a connection of its own: to tracked ones ({#track}), or to all when the
    # setting `events` is "all". When this returns, or first yields, nothing that happens is missed. Releases the GVL.
    #
    # @param what [Array<String>] names of events ({Event#event}). None: all of them, or with a worker none
    # @param worker [String, nil] what becomes of the jobs that this worker holds, tracked or not, too
    # @yieldparam event [Event] one after another, until the client is closed or the block breaks off
    # @return [Events] without a block; with one, nil
    # @raise [InvalidArgument] for an unknown name
    # @raise [Denied] when the login may not subscribe to `{namespace}:event:*`
    # @example
    #   client.track([jid])
    #   client.events("completed", "failed") do |event|
    #     puts "#{event.jid} #{event.event} at #{event.at}"
    #     break
    #   end
    #
    # Source: core/src/client/events/mod.rs
    def events(*what, worker: nil, &block)
      events = Events.new(Native::Events.open(@native, Wire.object({ what:, worker: }.compact, "events_open")))
      return events unless block

      begin
        events.each(&block)
        nil
      ensure
        events.close
      end
    end

    # Calls any operation by its name: the door that all methods use. Releases the GVL.
    #
    # @param operation [String, Symbol] such as "queue_counts"
    # @param arguments [Hash] as the operation's Lua header names them; spans in milliseconds (`_ms`)
    # @return [Object] the reply's JSON as Ruby values, with String keys; spans in milliseconds
    # @raise [UnknownOperation] when the engine has no such operation
    # @raise [InvalidArgument] for an argument that the operation does not know
    # @example
    #   client.call("queue_counts", { queue: "mail" }) # => {"waiting" => 1, ...}
    #
    # Source: core/src/engine/ops/
    def call(operation, arguments = {})
      operation = Wire.text(operation, "operation", nil)
      Wire.refuse("arguments must be a Hash, not #{arguments.class}", operation) unless arguments.is_a?(Hash)

      Wire.parse(@native.call(operation, Wire.object(arguments, operation)))
    end

    # Closes the connections; every later call raises {Closed}. Calling it again does nothing.
    #
    # @return [void]
    def close = @native.close

    # @return [String] without the URL, which may hold a password
    def inspect = "#<#{self.class} namespace=#{namespace.inspect}>"
  end
end
