# frozen_string_literal: true

require_relative "case"

class ErrorsTest < Case
  SIGNATURES = File.expand_path("../sig/manyhands/errors.rbs", __dir__)

  def test_a_class_for_every_code_and_a_signature_for_every_class
    classes = Manyhands::Native::CODES.map { |code, name, class_name, _| "#{class_name} #{code} #{name}" }
    signatures = File.read(SIGNATURES).scan(/# (\d+) ([A-Z_]+): .+\n  class (\w+) < Error/)
    assert_equal(classes, signatures.map { |code, name, class_name| "#{class_name} #{code} #{name}" })
  end

  def test_an_error_says_what_during_what_about_which_job
    Manyhands::Native::CODES.each do |code, name, class_name, retryable|
      error = Manyhands.const_get(class_name).new("oh", operation: "job_complete", jid: "j", reason: "expired")
      assert_kind_of Manyhands::Error, error
      assert_equal [code, name, retryable], [error.code, error.code_name, error.retryable?]
      assert_equal %w[job_complete j expired], [error.operation, error.jid, error.reason]
      assert_equal "#{name}: oh (during job_complete)", error.message
    end
  end

  def test_errors_of_the_core_arrive_in_their_class
    error = assert_raises(Manyhands::UnknownOperation) { client.call("queue_paint") }
    assert_equal 101, error.code
    assert_includes error.message, "queue_paint"
    refute_predicate error, :retryable?
  end

  def test_the_version_is_the_workspace_s
    manifest = File.read(File.expand_path("../../../Cargo.toml", __dir__))
    assert_equal manifest[/^version = "(.+)"/, 1], Manyhands::VERSION
  end
end
