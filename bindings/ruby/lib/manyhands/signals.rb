# frozen_string_literal: true

module Manyhands
  # The signals that a worker or a master obeys while it runs on the main thread.
  #
  # @api private
  module Signals
    NAMES = %w[TERM INT QUIT USR1 USR2 CONT TTIN].freeze

    # While the block runs, a signal calls `obey` with its name. Off the main thread nothing happens. The handlers found
    # are put back at the end.
    #
    # `obey` is called between any two steps of the main thread, so it may take no lock of Ruby's.
    #
    # @param obey [Method]
    # @param names [Array<String>] those that are obeyed
    # @return [Object] what the block returns
    def self.during(obey, names = NAMES, &block)
      return yield unless Thread.current == Thread.main

      found = {}
      state = { owner: Process.pid, found: }
      names.each { |name| found[name] = Signal.trap(name) { handle(name, state, obey) } }
      block.call
    ensure
      found&.each { |name, handler| Signal.trap(name, handler || "SYSTEM_DEFAULT") }
    end

    # @param name [String] the signal's
    # @param state [Hash{Symbol => Object}]
    # @param obey [Method]
    def self.handle(name, state, obey)
      return obey.call(name) if Process.pid == state[:owner]

      # a child that a handler forked: what it had before we came
      Signal.trap(name, state[:found][name] || "SYSTEM_DEFAULT")
      Process.kill(name, Process.pid)
    end
    private_class_method :handle
  end
  private_constant :Signals
end
