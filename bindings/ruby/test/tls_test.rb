# frozen_string_literal: true

require_relative "work_case"

# Clients and workers over TLS, which forks and processes go on with.
class TlsTest < WorkCase
  def setup
    super
    @server = RedisServer.start(RedisServer::TLS)
    @url = @server.tls_url("?ca=DIR/ca.pem")
    @secure = Manyhands::Client.new(@url, namespace: client.namespace)
  end

  def teardown
    super
    @secure.close
    @server.stop
  end

  def test_parent_and_child_go_on_after_a_fork
    queue = @secure.queue("q")
    queue.put("parent")
    pid = Process.fork do
      queue.put("child")
      completed = queue.reserve.fetch(0).complete
      @secure.close
      Process.exit!(completed == "completed")
    end
    assert_predicate Process.wait2(pid).last, :success?
    assert_equal ["child"], queue.reserve(10).map(&:kind)
  end

  def test_forked_worker_processes_perform_jobs
    master = work("--worker-count", "2", MANYHANDS_URL: @url)
    jid = @secure.queue("q").put("pid").jid
    eventually { @secure.job(jid).state == "completed" }
    refute_includes [Process.pid, master.pid], @secure.job(jid).result
  end

  def test_what_does_not_fit_is_refused
    stranger = Manyhands::Client.new(@server.tls_url("?ca=DIR/other.pem"))
    assert_refused(Manyhands::Denied, "certificate") { stranger.queue("q").put("k") }
    missing = @server.tls_url("?ca=DIR/none.pem")
    assert_refused(Manyhands::InvalidArgument, "/none.pem") { Manyhands::Client.new(missing) }
  end
end
