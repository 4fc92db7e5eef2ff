# frozen_string_literal: true

require_relative "units"

# One client and the jobs reserved through it that nobody ended: an operation's name is the method that performs it.
# What has no method of its own by intent goes through the door, as do arguments that a method would not take.
class Session
  include Units

  NAMED = %i[
    jid kind queue data priority retries remaining token put_at worker tags route throttles headers run_timeout backoff
    parent
  ].freeze
  VIEWED = [
    *NAMED, :state, :result, :due_at, :lease_until, :failure, :history, :dependencies, :dependents, :progressed
  ].freeze
  REPEATED = %i[
    jid kind queue data interval backlog count next_at priority retries tags throttles route headers timeout backoff
  ].freeze
  SETTINGS_IN_SECONDS = %w[heartbeat grace-period jobs-history stats-history max-worker-age].freeze
  POSITIONAL = {
    complete: %i[result], fail: %i[group message trace], retry: %i[delay], snooze: %i[delay], release: []
  }.freeze

  def initialize(url: nil, **options)
    @client = Manyhands::Client.new(url, **options)
    @held = {}
  end

  # Speak to the engine in a worker's name, or about the engine: no user does.
  BY_NAME = %w[engine_version queue_ready worker_lost worker_pulse worker_turn].freeze

  def perform(operation, args)
    return public_send(operation, **args) if sayable?(operation, args)

    reply = @client.call(operation, args)
    return reply if BY_NAME.include?(operation)

    raise NoMethodError, "the engine takes #{operation} with #{args.keys.join(', ')}, and no method does"
  end

  def queue_put(jobs:)
    return @client.call("queue_put", { jobs: }) unless jobs.uniq { |job| job[:queue] }.one?

    queue = @client.queue(jobs[0][:queue])
    items = jobs.map { |job| in_seconds(job.except(:queue)) }
    one = items[0]
    placed = items.one? ? [queue.put(one[:kind], one[:data], **one.except(:kind, :data))] : queue.put_many(items)
    placed.map(&:to_h)
  end

  def queue_reserve(queues:, limit: 1, worker: nil, **others)
    return @client.call("queue_reserve", { queues:, limit:, worker:, **others }) unless queues.one?

    jobs = @client.queue(queues[0]).reserve(limit, worker:)
    jobs.each { |job| @held[[job.jid, job.token]] = job }
    { jobs: jobs.map { |job| described(job, NAMED) } }
  end

  def queue_counts(queue:) = @client.queue(queue).counts
  def queue_stats(queue:, day: nil) = in_ms(@client.queue(queue).stats(day))
  def queue_length(queue:) = @client.queue(queue).length
  def queue_list(**page) = page_of(:queues, @client.queues(**page)) { |one| in_ms(one).transform_keys(name: :queue) }

  def queue_peek(queue:, **page)
    { jobs: @client.queue(queue).peek(**page).map { |job| described(job, VIEWED) }, rest: [] }
  end

  %i[pause unpause forget].each do |verb|
    define_method("queue_#{verb}") do |queues:|
      next @client.call("queue_#{verb}", { queues: }) unless alone?(queues)

      @client.queue(queues[0]).public_send(verb) ? 1 : 0
    end
  end

  def job_get(jid:) = @client.job(jid)&.then { |job| described(job, VIEWED) }
  def job_get_many(jids:) = { jobs: @client.jobs(jids).map { |job| job && described(job, VIEWED) }, rest: [] }
  def job_explain(jid:) = in_ms(on_job("job_explain", jid, {}, &:explain) || @client.explain(jid))
  def job_tracked(**page) = jids_of(@client.tracked(**page))

  def job_list(state:, queue: nil, **page)
    return @client.call("job_list", { state:, queue:, **page }.compact) if queue.nil? != (state == "completed")

    jids_of(queue ? @client.queue(queue).jobs(state, **page) : @client.completed(**page))
  end

  # A Job measures its run itself, and ends once: what tells run_ms or a spent token goes through the door.
  POSITIONAL.each do |verb, positional|
    define_method("job_#{verb}") do |jobs:|
      jid, token = jobs[0].values_at(:jid, :token)
      known = jobs.one? && !jobs[0].key?(:run_ms) && @held.delete([jid, token])
      next @client.call("job_#{verb}", { jobs: }) unless known

      fields = in_seconds(jobs[0].except(:jid, :token))
      given = fields.values_at(*positional).compact
      [{ jid:, outcome: known.public_send(verb, *given, **fields.except(*positional)) }]
    end
  end

  def job_heartbeat(jobs:)
    job = jobs.one? && @held[jobs[0].values_at(:jid, :token)]
    job ? [{ jid: job.jid, lease_ms: job.heartbeat * 1000 }] : @client.call("job_heartbeat", { jobs: })
  end

  def job_save(jid:, token:, data:)
    job = @held[[jid, token]]
    job ? milliseconds(job.heartbeat(data:)) : @client.call("job_save", { jid:, token:, data: })
  end

  def job_progress(jid:, token:, progress:, **note)
    job = @held[[jid, token]] or return @client.call("job_progress", { jid:, token:, progress:, **note })
    job.progress(progress, *note.values)
    "OK"
  end

  def job_log(jid:, message:, **others)
    job = others.key?(:token) ? @held[[jid, others[:token]]] : @client.job(jid)
    return @client.call("job_log", { jid:, message:, **others }) unless job

    job.log(message, *others.except(:token).values)
    "OK"
  end

  def job_requeue(jid:, **changes) = on_job("job_requeue", jid, changes) { |job| job.requeue(**in_seconds(changes)) }
  def job_timeout(jid:) = on_job("job_timeout", jid, {}, &:timeout)

  def job_prioritize(jid:, priority:)
    on_job("job_prioritize", jid, { priority: }) { |job| job.prioritize(priority) || "OK" }
  end

  %i[tag untag].each do |verb|
    define_method("job_#{verb}") do |jid:, tags:|
      on_job("job_#{verb}", jid, { tags: }, tags) { |job| job.public_send(verb, *tags) }
    end
    define_method("recurring_#{verb}") do |jid:, tags:|
      on_recurring("recurring_#{verb}", jid, { tags: }, tags) { |job| job.public_send(verb, *tags) }
    end
  end

  def job_depend(jid:, on:, **missing)
    on_job("job_depend", jid, { on:, **missing }, on) { |job| job.depend(*on, **missing) }
  end

  def job_undepend(jid:, on: [], all: false)
    given = { on:, all: }.reject { |_, value| [[], false].include?(value) }
    on_job("job_undepend", jid, given, on) { |job| job.undepend(*on, all:) }
  end

  def job_cancel(jids:)
    job = alone?(jids) && @client.job(jids[0])
    job ? [*(job.jid if job.cancel)] : @client.cancel(jids)
  end

  %i[track untrack].each do |verb|
    define_method("job_#{verb}") do |jids:|
      job = alone?(jids) && @client.job(jids[0])
      next @client.public_send(verb, jids) unless job

      job.public_send(verb) ? 1 : 0
    end
  end

  def failure_groups(**page) = page_of(:groups, @client.failures(**page))
  def failure_jobs(group:, **page) = jids_of(@client.failed(group, **page))
  def failure_unfail(group:, **options) = @client.unfail(group, **options)
  def tag_list(**page) = page_of(:tags, @client.tags(**page))
  def tag_jobs(tag:, **page) = jids_of(@client.tagged(tag, **page))

  def worker_list(**page)
    page_of(:workers, @client.workers(**page)) { |one| in_ms(one).transform_keys(name: :worker) }
  end

  def worker_jobs(worker:, **page)
    found = @client.worker_jobs(worker, **page)
    { **jids_of(found), stalled: found.stalled }
  end

  def worker_order(worker: nil, order: nil) = @client.order(worker, order)
  def worker_deregister(workers:) = @client.deregister(workers)

  def throttle_get(**named) = in_ms(throttle(named).counts)
  def throttle_delete(**named) = throttle(named).delete ? 1 : 0
  def throttle_list(**page) = page_of(:throttles, @client.throttles(**page)) { |one| in_ms(one) }

  def throttle_set(limit:, expires_ms: nil, **named)
    throttle = throttle(named)
    expires_ms ? throttle.set(limit, expires: expires_ms / 1000.0) : throttle.limit = limit
    "OK"
  end

  %i[holders pending].each do |list|
    define_method("throttle_#{list}") do |offset: 0, limit: 25, **named|
      jids_of(throttle(named).public_send(list, offset:, limit:))
    end
  end

  def throttle_release(jid:, **named) = throttle(named).release(jid) ? 1 : 0

  def recurring_put(jid:, queue:, kind:, interval_ms:, data: nil, **options)
    @client.queue(queue).put_recurring(kind, data, jid:, **in_seconds({ interval_ms:, **options })) && "OK"
  end

  def recurring_get(jid:) = @client.recurring(jid)&.then { |one| repeated(one) }

  def recurring_list(queue:, **page)
    page_of(:jobs, @client.queue(queue).recurring(**page)) { |one| repeated(one) }
  end

  def recurring_update(jid:, **changes)
    on_recurring("recurring_update", jid, changes) { |one| one.update(**in_seconds(changes)) && "OK" }
  end

  def recurring_cancel(jids:)
    one = alone?(jids) && @client.recurring(jids[0])
    return @client.call("recurring_cancel", { jids: }) unless one

    one.cancel ? 1 : 0
  end

  %i[pause resume].each do |verb|
    define_method("recurring_#{verb}") do |jid:|
      on_recurring("recurring_#{verb}", jid, {}) { |one| one.public_send(verb) ? 1 : 0 }
    end
  end

  def pattern_get = @client.patterns.get
  def pattern_set(**lists) = @client.patterns.set(**lists) || "OK"

  def config_get(name:, queue: nil) = setting_in_ms(name, @client.config.get(name, queue:))

  def config_set(name:, value:, queue: nil)
    value /= 1000.0 if value.is_a?(Numeric) && SETTINGS_IN_SECONDS.include?(name)
    @client.config.set(name, value, queue:) || "OK"
  end

  def config_unset(name:, queue: nil) = @client.config.unset(name, queue:) || "OK"

  def config_all
    all = @client.config.all
    { **all.slice(:values, :defaults).transform_values { |settings| settings_in_ms(settings) },
      queues: all[:queues].transform_values { |settings| settings_in_ms(settings) } }
  end

  def sweep(**limit) = in_ms(@client.sweep(**limit))

  # Only the door looks at one step alone.
  def check(cursor: "", **options)
    return @client.call("check", { cursor:, **options }) unless cursor.empty?

    found = @client.check(**options)
    { cursor:, violations: found.map { |one| { **one, repaired: one[:repaired] ? 1 : 0 } } }
  end

  def close = @client.close

  private

  # Whether a method performs it, and takes these arguments.
  def sayable?(operation, args)
    return false unless self.class.public_method_defined?(operation, false)

    spans = args.select { |name, _| name.end_with?("_ms") }.except(:backoff_ms)
    return false unless spans.values.all?(Integer)
    return false if args.key?(:id) && args.key?(:queue)

    parameters = method(operation).parameters
    named = ->(*kinds) { parameters.filter_map { |kind, name| name if kinds.include?(kind) } }
    known = named[:keyreq, :key] + (named[:keyrest].empty? ? [] : OTHERS.fetch(operation, PAGE))
    (named[:keyreq] - args.keys).empty? && (args.keys - known).empty?
  end

  PAGE = %i[offset limit].freeze
  SHARED = %i[priority retries tags throttles route headers timeout_ms backoff_ms].freeze
  THROTTLE = %i[id queue].freeze
  OTHERS = {
    "queue_reserve" => %i[share weights draw], "job_progress" => %i[note], "job_log" => %i[data token],
    "job_requeue" => [*SHARED, :queue, :data, :delay_ms, :dependencies, :missing], "job_depend" => %i[missing],
    "failure_unfail" => %i[queue limit], "throttle_get" => THROTTLE, "throttle_set" => THROTTLE,
    "throttle_delete" => THROTTLE, "throttle_holders" => THROTTLE, "throttle_pending" => THROTTLE,
    "throttle_release" => THROTTLE, "recurring_put" => [*SHARED, :offset_ms, :backlog],
    "recurring_update" => [*SHARED, :interval_ms, :queue, :kind, :data, :backlog],
    "pattern_set" => %i[identifiers priorities], "sweep" => %i[limit], "check" => %i[repair limit]
  }.freeze
  private_constant :PAGE, :SHARED, :THROTTLE, :OTHERS

  def alone?(list) = list.is_a?(Array) && list.one?

  # Lets the block act on a job that is looked up; one that is not there, or a `list` that is none, is the door's.
  def on_job(operation, jid, args, list = [])
    job = list.is_a?(Array) && @client.job(jid)
    job ? yield(job) : @client.call(operation, { jid:, **args })
  end

  def on_recurring(operation, jid, args, list = [])
    one = list.is_a?(Array) && @client.recurring(jid)
    one ? yield(one) : @client.call(operation, { jid:, **args })
  end

  def throttle(named)
    id, queue = named.values_at(:id, :queue)
    id || !queue ? @client.throttle(id) : @client.queue(queue).throttle
  end

  def jids_of(page) = { total: page.total, jids: page.jids }
  def page_of(name, page, &each) = { total: page.total, name => each ? page.map(&each) : page.items }

  def setting_in_ms(name, value)
    value.is_a?(Numeric) && SETTINGS_IN_SECONDS.include?(name) ? milliseconds(value) : value
  end

  def settings_in_ms(settings) = settings.to_h { |name, value| [name, setting_in_ms(name, value)] }

  # Data and result are the user's: their members are not ours to convert.
  def described(job, names)
    fields = names.to_h { |name| [name, job.public_send(name)] }
    own = fields.slice(:data, :result)
    in_ms(fields.except(*own.keys).transform_keys(progressed: :progress, run_timeout: :timeout))
      .merge(own, stalled: job.stalled?, tracked: job.tracked?)
  end

  def repeated(job)
    fields = REPEATED.to_h { |name| [name, job.public_send(name)] }
    in_ms(fields.except(:data)).merge(data: fields[:data], paused: job.paused?)
  end
end
