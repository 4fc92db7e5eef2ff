# frozen_string_literal: true

module Manyhands
  # What there is in a client's namespace, page by page.
  class Client
    # The tracked jobs, in the order in which they were put. Releases the GVL.
    #
    # @param offset [Integer] how many to skip, as in all that follow
    # @param limit [Integer] 1 to 250, as in all that follow
    # @return [JidPage]
    #
    # Source: core/src/engine/ops/job_tracked.lua
    def tracked(offset: 0, limit: 25) = JidPage.ask(self, "job_tracked", { offset:, limit: })

    # The completed jobs of all queues, the latest first. Releases the GVL.
    #
    # @return [JidPage]
    #
    # Source: core/src/engine/ops/job_list.lua
    def completed(offset: 0, limit: 25) = JidPage.ask(self, "job_list", { state: "completed", offset:, limit: })

    # The groups of failed jobs, the largest first. Releases the GVL.
    #
    # @return [Page] of pairs: the group and how many jobs it has
    #
    # Source: core/src/engine/ops/failure_groups.lua
    def failures(offset: 0, limit: 25) = page("failure_groups", "groups", { offset:, limit: })

    # The jobs of a failure group, the latest first. Releases the GVL.
    #
    # @param group [String]
    # @return [JidPage]
    # @raise [InvalidArgument]
    #
    # Source: core/src/engine/ops/failure_jobs.lua
    def failed(group, offset: 0, limit: 25) = JidPage.ask(self, "failure_jobs", { group:, offset:, limit: })

    # The tags in use, the most used first. Releases the GVL.
    #
    # @return [Page] of pairs: the tag and how many jobs have it
    #
    # Source: core/src/engine/ops/tag_list.lua
    def tags(offset: 0, limit: 25) = page("tag_list", "tags", { offset:, limit: })

    # The jobs with a tag, those put first before others. Releases the GVL.
    #
    # @param tag [String]
    # @return [JidPage]
    # @raise [InvalidArgument]
    #
    # Source: core/src/engine/ops/tag_jobs.lua
    def tagged(tag, offset: 0, limit: 25) = JidPage.ask(self, "tag_jobs", { tag:, offset:, limit: })

    # The queues in the order in which they were first used. Releases the GVL.
    #
    # @return [Page] of Hashes: :name and what {Queue#counts} answers
    #
    # Source: core/src/engine/ops/queue_list.lua
    def queues(offset: 0, limit: 25)
      page("queue_list", "queues", { offset:, limit: }) { |one| named(one, :queue) }
    end

    # The throttles that have a limit, by name. Releases the GVL.
    #
    # @return [Page] of Hashes: what {Throttle#counts} answers
    #
    # Source: core/src/engine/ops/throttle_list.lua
    def throttles(offset: 0, limit: 25)
      page("throttle_list", "throttles", { offset:, limit: }) { |one| Wire.own_units(one) }
    end

    # The workers that were heard of within the `max-worker-age` setting, the last heard first. Releases the GVL.
    #
    # @param limit [Integer] 1 to 100
    # @return [Page] of Hashes: :name; :silent, seconds since it was last heard; :lost, whether its supervisor saw it
    #   die; :running and :stalled, how many jobs it has in hand; :status, what it says of itself, or nil: language,
    #   version, host, pid, threads, queues, kinds, running, quiet, paused, since (seconds it lives), memory (bytes),
    #   jobs (at most 100 it performs: jid, kind, queue, since)
    #
    # Source: core/src/engine/ops/worker_list.lua
    def workers(offset: 0, limit: 25)
      page("worker_list", "workers", { offset:, limit: }) { |one| named(one, :worker) }
    end

    # The jobs that a worker has in hand, whose lease ends first before others. Releases the GVL.
    #
    # @param worker [String] its name
    # @return [WorkerJobs]
    # @raise [InvalidArgument]
    #
    # Source: core/src/engine/ops/worker_jobs.lua
    def worker_jobs(worker, offset: 0, limit: 25)
      WorkerJobs.ask(self, "worker_jobs", { worker:, offset:, limit: })
    end

    private

    def page(operation, member, arguments, &)
      total, items = call(operation, arguments).values_at("total", member)
      Page.new(total, block_given? ? items.map(&) : items)
    end

    # A reply about something that has a name of its own.
    def named(reply, noun)
      fields = Wire.own_units(reply)
      { name: fields.fetch(noun), **fields.except(noun) }
    end
  end
end
