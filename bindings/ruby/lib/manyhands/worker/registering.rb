# frozen_string_literal: true

module Manyhands
  # How a worker is told what to do, before it starts.
  class Worker
    # Registers the handler of a kind. Registering it again replaces the handler.
    #
    # The block's value becomes the job's result, so it must be something JSON can say (end with nil when there is
    # none), and the job goes on along its route. Raising {Fail}, {Retry} or {Snooze} says otherwise. Any other
    # exception runs the job again with growing delays until its retries are spent; then it fails in the group
    # `<kind>:<exception class>`, the class without its modules, after one of Manyhands' own errors in
    # `<kind>:<name of its code>`: INVALID_ARGUMENT for a value that JSON cannot say. A handler that has ended its job
    # itself (`job.complete`, `job.fail`, ...) has nothing more to say. Jobs of a kind without a handler are left to
    # workers that have one; when there is none they fail in the group `unknown-kind:<kind>`. SystemExit (`exit`) ends
    # the worker as well.
    #
    # Instead of a block it may be an object with `perform(job)`: a class, a module or any other. A class that has it
    # only for its instances gets a new one for each job. One that {Performs} says its kind itself.
    #
    # @param kind [String, Symbol, Performs] 1 to 255 bytes
    # @param handler [#perform, Class, nil]
    # @param timeout [Numeric, nil] seconds that it may run, 0.001 or more; after them {JobInterrupted} is raised in it,
    #   see {#run}. Default: that of {Performs}, else of the worker. What a put says of its job comes first
    # @param backoff [Backoff, Numeric, Array<Numeric>, nil] how long its jobs wait after a run that failed, also by its
    #   timeout or in middleware; {RetryRules} can say more. Default: that of {Performs}, else 1 s to 1 h, doubling.
    #   What a put says of its job comes first
    # @yieldparam job [Job]
    # @yieldreturn [Object] the job's result
    # @return [self]
    # @raise [InvalidArgument] for a bad kind, without a handler, or with two
    # @raise [WrongState] when the worker has started
    # @example
    #   worker.perform("welcome") { |job| deliver(job.data["to"]) }
    #   worker.perform("resize", Resize)
    #   worker.perform(Welcome) # extends Manyhands::Performs
    def perform(kind, handler = nil, timeout: nil, backoff: nil, &block)
      limits = { timeout:, backoff: }.compact
      if kind.is_a?(Performs)
        handler ||= kind unless block
        limits = { **kind.defaults.slice(:timeout, :backoff), **limits }
        kind = kind.kind
      end
      kind = Wire.text(kind, "kind", nil)
      Wire.refuse("handler and block are both given for #{kind}", nil) if handler && block
      Wire.refuse("perform needs a block", nil) unless handler || block

      check_not_started("a handler for #{kind}")
      @duties.add(kind, handler || block, **limits) { open_again }
      self
    end

    # Puts a module around every job that has a handler; the first one registered is the outermost.
    #
    # Its `around_perform(job)` calls `super` for the next module and in the end for the handler, and returns the job's
    # result: that of `super` or another. Without `super` the handler is skipped. Exceptions go outward; {Fail},
    # {Retry} and {Snooze} do too. Each job gets an object of its own, so instance variables are of one run, as is
    # {Job#locals}, which all modules and the handler share.
    #
    # @param middleware [Module] with a public method `around_perform`
    # @return [self]
    # @raise [InvalidArgument] for anything else
    # @raise [WrongState] when the worker has started; and in the module when it calls `super` twice
    # @example
    #   module Connected
    #     def around_perform(job)
    #       job.locals[:db] = DB.checkout
    #       super
    #     ensure
    #       DB.checkin(job.locals[:db])
    #     end
    #   end
    #   worker.use(Connected)
    def use(middleware)
      check_not_started("middleware")
      @duties.middleware.use(middleware)
      self
    end

    # Registers what to call when something happens; of several, in their order. What it raises is logged and changes
    # nothing: who wants to change what happens uses middleware ({#use}).
    #
    # - `:before_perform` (job) before the middleware and the handler, on their thread
    # - `:after_perform` (job) after them, whatever they returned or raised
    # - `:failure` (job, exception) after that, when they raised an error, {Fail}, or a {JobInterrupted} as they ran too
    #   long; also, with a {Fail}, when they ended the job by {Job#fail}
    # - `:lock_lost` (job, reason) when the outcome of a performed job was refused, or its handler was interrupted as it
    #   would have been: by then another worker may have performed it. The reason is expired, cancelled, replaced,
    #   finished or unknown; or what the engine said of an outcome that it could not take, such as a result larger than
    #   `max-data`. On the thread of {#run}, one at a time. It is logged too
    # - `:start` (worker) before the first job and `:stop` (worker) after the last, on the thread of {#run}
    # - `:before_fork` (worker) in the master of `manyhands-ruby work` each time before it makes a process, and
    #   `:after_fork` (worker) in the new process before anything else: to close connections there, and open them here
    #
    # @param hook [Symbol] one of these names
    # @return [self]
    # @raise [InvalidArgument] for another name, or without a block
    # @raise [WrongState] when the worker has started
    # @example
    #   worker.on(:failure) { |job, exception| Errors.report(exception, jid: job.jid) }
    def on(hook, &block)
      check_not_started("a hook")
      @duties.hooks.add(hook, block)
      self
    end

    # The same as `on(:lock_lost)`.
    #
    # @yieldparam job [Job] as it was performed
    # @yieldparam reason [String]
    # @return [self]
    # @see #on
    def on_lock_lost(&) = on(:lock_lost, &)

    # @api private
    def tell_hooks(name)
      @duties.hooks.tell(name, self) { |e| @logger.error { "on_#{name} raised #{Raised.line(e)}" } }
    end

    private

    def check_not_started(what)
      raise WrongState, "the worker has started: #{what} comes too late" if @started
    end
  end
end
