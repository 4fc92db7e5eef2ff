# frozen_string_literal: true

module Manyhands
  # A part of a list, and how long the list is. It is a picture of one moment: another page, asked for later, may repeat
  # or miss what moved meanwhile.
  #
  # @example
  #   page = client.failures(limit: 10)
  #   page.each { |group, count| puts "#{group}: #{count}" }
  #   puts "and #{page.total - page.size} more"
  #
  # Source: core/src/engine/lib/page.lua
  class Page
    include Enumerable

    # @return [Integer] how many there are on all pages
    attr_reader :total
    # @return [Array] what is on this one
    attr_reader :items

    # @api private
    def initialize(total, items)
      @total = total
      @items = items
    end

    # @yieldparam item [Object]
    # @return [self, Enumerator] an Enumerator without a block
    def each(&block)
      return items.each unless block

      items.each(&block)
      self
    end

    # @return [Integer] how many are on this page
    def size = items.size

    # @return [Boolean] nothing is on this page
    def empty? = items.empty?

    # @param index [Integer] from 0 on this page, from -1 backwards
    # @return [Object, nil]
    def [](index) = items[index]

    # @return [String]
    def inspect = "#<#{self.class} #{size} of #{total}>"
  end

  # A page of jobs' ids.
  class JidPage < Page
    # Asks for one.
    #
    # @api private
    def self.ask(client, operation, arguments)
      reply = client.call(operation, arguments)
      new(client, *reply.values_at("total", "jids", "stalled").compact)
    end

    # @api private
    def initialize(client, total, jids)
      super(total, jids)
      @client = client
    end

    # @return [Array<String>] the ids
    def jids = items

    # Looks its jobs up, as {Client#jobs} does. Releases the GVL.
    #
    # @return [Array<Job, nil>] nil for a job that is gone by now
    def jobs = @client.jobs(jids)
  end

  # A page of the jobs that a worker has in hand.
  class WorkerJobs < JidPage
    # @return [Integer] how many of all of them are past the end of their lease; they come first
    attr_reader :stalled

    # @api private
    def initialize(client, total, jids, stalled)
      super(client, total, jids)
      @stalled = stalled
    end
  end
end
