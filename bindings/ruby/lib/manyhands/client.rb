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
    # @api private
    # @return [Native::Client]
    attr_reader :native

    # Describes the connection; only checks its arguments.
    #
    # @param url [String, nil] redis://, unix:// or embedded:DIR (a private server kept in DIR). Default: MANYHANDS_URL,
    #   else REDIS_URL, else embedded:.manyhands
    # @param namespace [String, nil] 1 to 64 of A-Z a-z 0-9 _ -; jobs of other namespaces are out of sight. Default "mh"
    # @param timeout [Numeric, nil] seconds during which a call is repeated while Redis is away, 0.001 to 600.
    #   Default 60
    # @param engine_upgrade [String, nil] "auto" (load the engine and replace older ones) or "manual". Default: auto for
    #   embedded: and an empty server, else manual
    # @raise [InvalidArgument] naming a bad or unknown option
    # @raise [UnsupportedUrl] for another kind of URL
    #
    # Source: core/src/options.rs, core/src/url.rs
    def initialize(url = nil, namespace: nil, timeout: nil, engine_upgrade: nil, **unknown)
      Wire.none_left(unknown)
      url &&= Wire.text(url, "url", nil)
      timeout_ms = timeout && Wire.milliseconds(timeout, "timeout", nil, 1..Native::MAX_TIMEOUT_MS)
      options = Wire.object({ namespace:, timeout_ms:, engine_upgrade: }.compact, nil)
      @native = Native::Client.open(url, options)
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

    # @return [String] where the jobs are: the given URL or the default that was found
    def url = @native.url

    # @return [String] the namespace whose jobs this client sees
    def namespace = @native.namespace

    # @return [Config] the namespace's settings
    def config = Config.new(self)

    # The queue of this name; it comes into being with its first job.
    #
    # @param name [String] 1 to 255 bytes of UTF-8 without control characters; checked when used
    # @return [Queue]
    def queue(name) = Queue.new(self, @native, name)

    # Looks a job up, whatever its state. The result is a picture of this moment. Releases the GVL.
    #
    # @param jid [String] the job's id
    # @return [Job, nil] nil when there is no such job (any more)
    # @raise [InvalidArgument] for an impossible jid
    #
    # Source: core/src/engine/ops/job_get.lua
    def job(jid)
      reply = @native.call("job_get", Wire.object({ jid: }, "job_get"))
      reply == "null" ? nil : Job.of_view(reply, ClientHolder.new(@native), @native)
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
