# frozen_string_literal: true

# Its classes are looked up while it loads, which an interrupt may not break off.
Thread.handle_interrupt(Object => :never) { require "manyhands/native" }
require "manyhands/version"
require "manyhands/errors"
require "manyhands/wire"
require "manyhands/page"
require "manyhands/holder"
require "manyhands/job"
require "manyhands/throttle"
require "manyhands/recurring"
require "manyhands/queue"
require "manyhands/config"
require "manyhands/patterns"
require "manyhands/events"
require "manyhands/client"
require "manyhands/outcome"
require "manyhands/unanswered"
require "manyhands/performer"
require "manyhands/stop_signals"
require "manyhands/worker"
