# frozen_string_literal: true

require_relative "work_case"

# The examples that `manyhands-ruby work` runs, and the one in docs/testing.md.
class ExamplesTest < WorkCase
  ROOT = File.expand_path("../../..", __dir__)

  def example(name, **variables)
    command("work", "-r", File.join(ROOT, "examples/ruby", "#{name}.rb"), **variables)
  end

  def finished(program)
    Process.kill("QUIT", program.pid)
    assert_predicate status(program), :success?
    @said
  end

  def test_each_process_has_a_database_connection_of_its_own
    jid = client.queue("reports").put("report", "sales").jid
    program = example("database")
    eventually { client.job(jid).state == "completed" }
    assert_equal "select sales by #{children(program).first}", client.job(jid).result
    finished(program)
  end

  def test_errors_are_reported_when_no_retry_is_left
    jid = client.queue("mail").put("welcome", {}, retries: 0).jid
    program = example("errors")
    eventually { client.job(jid).state == "failed" }
    assert_match(/REPORT KeyError: no address .*#{jid}/, finished(program))
  end

  # Where there is no gem, what stands for it.
  OPENTELEMETRY = Gem::Specification.find_all_by_name("opentelemetry-sdk").empty? && File.join(__dir__, "stand_in")

  def test_a_trace_goes_on_from_put_to_perform
    client.queue("orders").put("order", 7, jid: "o", headers: { "traceparent" => "00-#{'a' * 32}-#{'b' * 16}-01" })
    program = example("trace", OTEL_TRACES_EXPORTER: "console", RUBYLIB: OPENTELEMETRY || nil)
    eventually { client.job("o").result && client.job(client.job("o").result).state == "completed" }
    trace, parent = client.job(client.job("o").result).headers.fetch("traceparent").split("-")[1, 2]
    assert_equal "a" * 32, trace
    refute_equal "b" * 16, parent
    names = finished(program).scan(/name="(.+?)"/).flatten
    assert_empty ["perform invoice", "perform order", "put invoice"] - names
    return unless OPENTELEMETRY

    spans = @said.scan(/name="(.+)" .* id=(\h+) parent=(\h+)/).to_h { |name, *ids| [name, ids] }
    assert_equal [parent, spans["perform order"].first], spans["put invoice"]
    assert_equal "b" * 16, spans["perform order"].last
    assert_equal parent, spans["perform invoice"].last
  end

  def test_the_example_of_the_documentation_passes
    text = File.read(File.join(ROOT, "docs/testing.md"))[/^```ruby\n(.+?)^```$/m, 1]
    paths = $LOAD_PATH.map { |path| "-I#{path}" }
    program = IO.popen([environment, RbConfig.ruby, *paths, "-e", text, { err: %i[child out], chdir: @dir }])
    @programs << program
    assert_predicate status(program), :success?, @said
    assert_includes @said, "4 runs"
  end
end
