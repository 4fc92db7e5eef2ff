# frozen_string_literal: true

module Manyhands
  # What is told of an exception that a user's code raised. Its methods are the user's own and may raise anything too.
  #
  # @api private
  module Raised
    # What ends a handler but not its thread, for `rescue`: all but what is meant for others than the handler, as
    # SystemExit and signals, which end both, {JobInterrupted}, and the time limit of who called us.
    module Survived
      def self.===(exception)
        case exception
        when SystemExit, SignalException, JobInterrupted then false
        else !defined?(::Timeout::ExitException) || !exception.is_a?(::Timeout::ExitException)
        end
      end
    end

    class << self
      # @param exception [Exception]
      # @return [Hash{Symbol => String}] as the core reads an error
      def describe(exception)
        trace = "#{name_of(exception.class)}\n#{said(exception, :backtrace)}"
        { class: group_of(exception), message: said(exception, :message), trace: }
      end

      # One line for the log.
      #
      # @param exception [Exception]
      # @return [String]
      def line(exception) = "#{name_of(exception.class)}: #{said(exception, :message)}"

      private

      # What names the failure group: of our own errors the code, else the class without its modules, as in every
      # language.
      def group_of(exception)
        own = exception.is_a?(Error) && exception.code.positive?
        own ? exception.code_name : name_of(exception.class).split("::").last
      end

      # The name of a class, or of the nearest above it that has one; whatever its own `name` says.
      def name_of(named)
        name = Module.instance_method(:name)
        named = named.superclass until name.bind_call(named)
        name.bind_call(named)
      end

      def said(exception, what)
        text = exception.public_send(what)
        Wire.scrub(text.is_a?(Array) ? text.join("\n") : text)
      rescue Survived
        "<its #{what} raised>"
      end
    end
  end
  private_constant :Raised
end
