# frozen_string_literal: true

require_relative "case"

# Programs on ActiveSupport.
class ActiveSupportTest < Case
  # Where there is no gem, what stands for it.
  STAND_IN = Gem::Specification.find_all_by_name("activesupport").empty? && File.join(__dir__, "stand_in")

  def said(text)
    program("$LOAD_PATH.concat(#{[*STAND_IN]})\nrequire 'active_support/all'\n#{text}").read.lines(chomp: true)
  end

  # Its encoder comes before every object's own words in JSON, and writes `to_s` when JSON.generate asks.
  def test_its_encoder_does_not_hide_what_json_cannot_say
    lines = said(<<~RUBY)
      require "set"
      class Own
        def to_json(*) = '"own"'
      end
      [Object.new, Time.now, Set[1], Struct.new(:a).new(1), Rational(1, 2)].each do |data|
        CLIENT.queue("q").put("k", [data])
        puts "put"
      rescue Manyhands::InvalidArgument => e
        puts e.message[/holds a \\S+,/]
      end
      CLIENT.queue("q").put("k", { own: Own.new, list: [nil, true, 1, 1.5, "text"] })
      puts CLIENT.queue("q").reserve.fetch(0).raw_data
    RUBY
    assert_equal ["holds a Object,", "holds a Time,", "holds a Set,"], lines.take(3)
    assert_match(/holds a #<Class:/, lines[3])
    assert_equal ["holds a Rational,", '{"own":"own","list":[null,true,1,1.5,"text"]}'], lines.drop(4)
  end

  def test_its_durations_are_spans
    lines = said(<<~RUBY)
      queue = CLIENT.queue("q")
      queue.put("k", delay: 5.minutes, jid: "later")
      queue.put_recurring("k", interval: 5.minutes, jid: "r", offset: 1.minutes)
      queue.put("k", jid: "own")
      queue.put("ruled", jid: "ruled")
      queue.put("snoozed", jid: "snoozed")
      queue.put("k", jid: "limited", delay: 5.minutes, timeout: 5.minutes, backoff: [5.minutes, 6.minutes])
      rules = Manyhands::RetryRules.new(retry_on: { KeyError => [5.minutes, 6.minutes] })
      options = { queues: ["q"], logger: Logger.new(File::NULL), max_jobs: 3, shutdown_timeout: 1.minutes }
      worker = Manyhands::Worker.new(CLIENT, **options).use(rules)
      worker.perform("k", timeout: 10.minutes, backoff: 5.minutes) { raise "no" }
      worker.perform("ruled") { raise KeyError, "no" }.perform("snoozed") { |job| job.snooze(5.minutes) }
      worker.run
      puts %w[later own ruled snoozed].map { |jid| ((CLIENT.job(jid).due_at - Time.now) / 60).ceil }.inspect
      puts CLIENT.recurring("r").interval
      limited = CLIENT.job("limited")
      puts limited.run_timeout, limited.backoff.to_h
    RUBY
    assert_equal ["[5, 5, 5, 5]", "300.0", "300.0", { list: [300.0, 360.0], jitter: 0 }.to_s], lines
  end
end
