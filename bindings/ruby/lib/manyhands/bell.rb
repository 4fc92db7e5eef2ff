# frozen_string_literal: true

require "io/wait"

module Manyhands
  # Where a thread waits until another one, or the handler of a signal, rings. It forgets no ring that came before.
  #
  # @api private
  class Bell
    MOST = 1024
    private_constant :MOST

    def initialize
      @heard, @rung = IO.pipe
    end

    # Takes no lock, and waits for nobody.
    def ring
      @rung.write_nonblock(".", exception: false)
    rescue IOError, Errno::EPIPE
      nil # nobody waits any more
    end

    # @param seconds [Numeric] at most
    def wait(seconds)
      @heard.read_nonblock(MOST, exception: false) if @heard.wait_readable(seconds)
    end

    def close = [@heard, @rung].each(&:close)
  end
  private_constant :Bell
end
