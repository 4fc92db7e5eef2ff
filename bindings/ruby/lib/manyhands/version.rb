# frozen_string_literal: true

module Manyhands
  # The version of the whole: core, engine and every binding carry the same.
  VERSION = Native::VERSION
end
