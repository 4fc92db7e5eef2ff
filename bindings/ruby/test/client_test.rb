# frozen_string_literal: true

require_relative "case"

class ClientTest < Case
  def test_it_says_where_it_works_but_not_its_password
    assert_equal SERVER.url, client.url
    other = Manyhands::Client.new("redis://:secret@localhost/3", namespace: "ns")
    assert_equal "#<Manyhands::Client namespace=\"ns\">", other.inspect
  end

  def test_call_is_the_door_to_every_operation
    queue.put("k", { "a" => 1 })
    assert_equal 1, client.call("queue_counts", { queue: "q" })["waiting"]
    reply = client.call("queue_reserve", { "queues" => ["q"], "worker" => "me" })
    assert_equal({ "a" => 1 }, reply["jobs"].fetch(0)["data"])
  end

  def test_a_namespace_sees_only_its_own_jobs
    queue.put("k", jid: "j")
    other = Manyhands::Client.new(SERVER.url, namespace: "#{client.namespace}-other")
    assert_nil other.job("j")
    assert_equal "waiting", client.job("j").state
  end

  def test_a_closed_client_says_so
    client.close
    client.close
    error = assert_raises(Manyhands::Closed) { queue.put("k") }
    assert_equal 107, error.code
  end

  def test_open_closes_behind_the_block
    kept = nil
    counts = Manyhands::Client.open(SERVER.url, namespace: client.namespace) do |opened|
      kept = opened
      opened.queue("q").counts
    end
    assert_equal 0, counts[:waiting]
    assert_raises(Manyhands::Closed) { kept.queue("q").counts }
  end

  def test_config_speaks_seconds
    assert_equal 60, client.config.get("heartbeat")
    client.config.set("heartbeat", 2.5, queue: "q")
    assert_in_delta 2.5, client.config.get("heartbeat", queue: "q")
    assert_equal 60, client.config.get("heartbeat")
    queue.put("k")
    assert_in_delta 2.5, queue.reserve.fetch(0).heartbeat
    client.config.set("heartbeat", nil, queue: "q")
    assert_equal 60, client.config.get("heartbeat", queue: "q")
    assert_equal 50_000, client.config.get("jobs-history-count")
  end

  def test_config_shows_and_forgets_settings
    client.config.set("heartbeat", 7)
    client.config.set("heartbeat", 2.5, queue: "q")
    all = client.config.all
    assert_equal [7, 60, 7 * 86_400], [all[:values]["heartbeat"], all[:defaults]["heartbeat"],
                                       all[:values]["jobs-history"]]
    assert_equal({ "q" => { "heartbeat" => 2.5 } }, all[:queues])
    client.config.unset("heartbeat", queue: "q")
    assert_equal 7, client.config.get("heartbeat", queue: "q")
    client.config.unset("heartbeat")
    assert_equal 60, client.config.get("heartbeat")
  end

  def test_patterns
    assert_equal({ identifiers: {}, priorities: [] }, client.patterns.get)
    client.patterns.set(identifiers: { "mails" => %w[mail-* !mail-bulk] })
    client.patterns.set(priorities: [{ patterns: %w[@mails], fair: true }, { patterns: %w[*] }])
    assert_equal({ identifiers: { "mails" => %w[mail-* !mail-bulk] },
                   priorities: [{ patterns: %w[@mails], fair: true }, { patterns: %w[*], fair: false }] },
                 client.patterns.get)
  end

  def test_threads_share_it
    threads = Array.new(8) { |n| Thread.new { 50.times { |i| queue.put("k", [n, i]) } } }
    threads.each(&:join)
    assert_equal 400, queue.counts[:waiting]
  end

  def test_a_server_that_is_not_there
    error = assert_raises(Manyhands::Unavailable) do
      Manyhands::Client.new("unix:///nowhere/redis.sock").queue("q").counts
    end
    assert_equal 300, error.code
    assert_predicate error, :retryable?
  end
end
