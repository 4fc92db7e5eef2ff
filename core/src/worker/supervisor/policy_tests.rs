use super::*;

const RULES: Rules = Rules { processes: 1, shutdown_ms: 25_000, kill_ms: 2_000, memory: Some(100 << 20) };
/// The status with which a process ends when a handler cannot be made to.
const STUCK_STATUS: i32 = 70;
const CRASH: Ended = Ended::Signal(9);

/// A master whose processes are played by the test.
struct Master {
    policy: Policy,
    now: u64,
}

impl Master {
    /// With every process come up.
    fn ready(processes: usize) -> Master {
        let mut master = Master { policy: Policy::new(Rules { processes, ..RULES }), now: 1_000 };
        assert_eq!(master.on(Event::Tick).iter().filter(|action| is_start(action)).count(), processes);
        for number in 1..=processes as Number {
            master.comes_up(number);
        }
        master
    }

    fn on(&mut self, event: Event) -> Vec<Action> {
        self.policy.on(event, self.now)
    }

    /// What is done beside telling.
    fn done(&mut self, event: Event) -> Vec<Action> {
        let mut actions = self.on(event);
        actions.retain(|action| !matches!(action, Action::Say(_) | Action::Status(_)));
        actions
    }

    fn after(&mut self, span: u64) -> Vec<Action> {
        self.now += span;
        self.done(Event::Tick)
    }

    fn starts(&mut self, number: Number) -> Vec<Action> {
        self.done(Event::Started { number, pid: 100 + number as u32 })
    }

    fn says(&mut self, number: Number, word: Word) -> Vec<Action> {
        self.done(Event::Said { number, word })
    }

    fn comes_up(&mut self, number: Number) -> Vec<Action> {
        self.starts(number);
        self.says(number, Word::Ready)
    }

    fn ends(&mut self, number: Number, how: Ended) -> Vec<Action> {
        self.done(Event::Ended { number, how })
    }

    fn signal(&mut self, signal: Signal) -> Vec<Action> {
        self.done(Event::Signal(signal))
    }
}

fn is_start(action: &Action) -> bool {
    matches!(action, Action::Start { .. })
}

fn start(number: Number) -> Action {
    Action::Start { number, told: Vec::new() }
}

fn tell(number: Number, signal: Signal) -> Action {
    Action::Tell { number, signal }
}

fn settle(number: Number, spends: bool) -> Action {
    Action::Settle { number, spends }
}

#[test]
fn as_many_processes_as_asked_for_come_up_and_then_the_service_is_ready() {
    let mut master = Master { policy: Policy::new(Rules { processes: 2, ..RULES }), now: 0 };
    assert_eq!(master.on(Event::Tick), [start(1), start(2), Action::Status("0 of 2 processes serve".to_owned())]);
    assert_eq!(master.comes_up(2), []);
    assert_eq!(master.comes_up(1), [Action::Ready]);
    assert_eq!(master.says(1, Word::Ready), [], "once");
    assert_eq!(master.policy.tick_at(), None);
}

#[test]
fn many_processes_come_up_a_few_at_a_time() {
    let mut master = Master { policy: Policy::new(Rules { processes: 1_000, ..RULES }), now: 0 };
    assert_eq!(master.done(Event::Tick), (1..=16).map(start).collect::<Vec<_>>());
    assert_eq!(master.policy.tick_at(), None, "the next one waits for an event, not for a time");
    assert_eq!(master.comes_up(3), [start(17)]);
    assert_eq!(master.ends(5, CRASH), [settle(5, true), start(18)]);
    master.signal(Signal::Term);
    assert_eq!(master.ends(3, Ended::Status(0)), [settle(3, false)]);
}

#[test]
fn a_crashed_process_spends_retries_and_is_replaced_at_once() {
    let mut master = Master::ready(2);
    assert_eq!(master.ends(2, CRASH), [settle(2, true), start(3)]);
    let said = master.on(Event::Ended { number: 1, how: Ended::Status(1) });
    assert!(said.contains(&Action::Say("process 1 (pid 101) ended with status 1; another comes up".to_owned())));
}

#[test]
fn a_kill_of_long_ago_does_not_make_a_stop_unclean() {
    let mut master = Master::ready(1);
    master.says(1, Word::Stuck);
    master.comes_up(2);
    assert_eq!(master.after(28_000), [Action::Kill { number: 1 }]);
    master.ends(1, CRASH);
    master.signal(Signal::Quit);
    assert_eq!(master.ends(2, Ended::Status(0)), [settle(2, false), Action::Exit(0)]);
}

#[test]
fn one_that_cannot_be_made_any_more_does_not_keep_a_master_that_stops() {
    let mut master = Master::ready(2);
    assert_eq!(master.ends(2, CRASH), [settle(2, true), start(3)]);
    master.signal(Signal::Quit);
    assert_eq!(master.ends(1, Ended::Status(0)), [settle(1, false)], "the third is still to come");
    let refused = Event::NotStarted { number: 3, why: "no process left".to_owned() };
    assert_eq!(master.done(refused), [Action::Exit(0)]);
    assert_eq!(master.policy.tick_at(), None);
}

#[test]
fn what_ends_as_asked_by_whomever_spends_nothing() {
    for how in [Ended::Signal(15), Ended::Status(143), Ended::Status(130)] {
        assert_eq!(Master::ready(1).ends(1, how), [settle(1, false), start(2)]);
    }
    for how in [Ended::Status(STUCK_STATUS), Ended::Status(1), Ended::Signal(11), CRASH] {
        assert_eq!(Master::ready(1).ends(1, how), [settle(1, true), start(2)]);
    }
}

#[test]
fn a_crash_spends_a_retry_also_of_a_process_that_was_asked_to_end() {
    for (how, spends) in [(Ended::Signal(11), true), (CRASH, false)] {
        let mut master = Master::ready(1);
        master.signal(Signal::Quit);
        assert!(master.ends(1, how).contains(&settle(1, spends)), "{how:?}");
    }
}

#[test]
fn a_handler_that_ends_its_process_well_spends_a_retry() {
    assert_eq!(Master::ready(1).ends(1, Ended::Status(0)), [settle(1, true), start(2)]);
    let mut master = Master::ready(1);
    master.says(1, Word::Spent);
    assert_eq!(master.ends(1, Ended::Status(0)), [settle(1, true)], "its end was due, but with nothing begun");
    let mut master = Master::ready(1);
    master.signal(Signal::Quit);
    assert_eq!(master.ends(1, Ended::Status(0)), [settle(1, false), Action::Exit(0)], "it was asked");
}

#[test]
fn processes_that_do_not_prove_themselves_wait_longer_and_longer() {
    let mut master = Master::ready(1);
    let mut number = 1;
    assert_eq!(master.ends(number, CRASH), [settle(1, true), start(2)], "the first at once");
    for wait in [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000] {
        number += 1;
        master.starts(number);
        assert_eq!(master.ends(number, CRASH), [settle(number, true)]);
        assert_eq!(master.policy.tick_at(), Some(master.now + wait));
        assert_eq!(master.after(wait - 1), []);
        assert_eq!(master.after(1), [start(number + 1)]);
    }
    number += 1;
    master.comes_up(number);
    master.now += PROVED_MS;
    assert_eq!(master.ends(number, CRASH), [settle(number, true), start(number + 1)], "it had proved itself");
    assert_eq!(master.ends(number + 1, CRASH), [settle(number + 1, true), start(number + 2)]);
}

#[test]
fn one_place_that_crashes_does_not_hold_up_the_others() {
    let mut master = Master::ready(2);
    master.ends(1, CRASH);
    master.comes_up(3);
    assert_eq!(master.ends(3, CRASH), [settle(3, true)]);
    assert_eq!(master.ends(2, CRASH), [settle(2, true), start(4)]);
}

#[test]
fn a_program_that_cannot_be_started_ends_the_master_but_not_later() {
    let why = || "not found".to_owned();
    let mut master = Master { policy: Policy::new(RULES), now: 0 };
    master.on(Event::Tick);
    assert_eq!(master.done(Event::NotStarted { number: 1, why: why() }), [Action::Exit(NO_PROGRAM_STATUS)]);
    let mut master = Master::ready(1);
    master.ends(1, CRASH);
    assert_eq!(master.done(Event::NotStarted { number: 2, why: why() }), []);
    assert_eq!(master.after(1_000), [start(3)]);
}

#[test]
fn a_spent_process_has_a_successor_at_once_and_all_the_time_it_needs() {
    let mut master = Master::ready(1);
    assert_eq!(master.says(1, Word::Spent), [start(2)]);
    assert_eq!(master.comes_up(2), [], "nobody hurries it");
    assert_eq!(master.policy.tick_at(), None);
    assert_eq!(master.says(2, Word::Spent), [], "never three in one place");
    assert_eq!(master.ends(1, Ended::Status(0)), [settle(1, true), start(3)]);
    assert_eq!(master.ends(2, CRASH), [settle(2, true)]);
}

#[test]
fn spent_processes_are_no_crash_loop() {
    let mut master = Master::ready(1);
    for number in 1..10 {
        assert_eq!(master.says(number, Word::Spent), [start(number + 1)]);
        master.comes_up(number + 1);
        assert_eq!(master.ends(number, Ended::Status(0)), [settle(number, true)]);
    }
}

#[test]
fn one_with_too_much_memory_serves_until_its_successor_does() {
    let mut master = Master::ready(1);
    assert_eq!(master.done(Event::Weighed { number: 1, memory: 100 << 20 }), []);
    assert_eq!(master.done(Event::Weighed { number: 1, memory: 101 << 20 }), [start(2)]);
    assert_eq!(master.done(Event::Weighed { number: 1, memory: 102 << 20 }), [], "once");
    master.starts(2);
    assert_eq!(master.says(2, Word::Ready), [tell(1, Signal::Quit)]);
    assert_eq!(master.after(25_999), []);
    assert_eq!(master.after(1), [Action::Kill { number: 1 }]);
    assert_eq!(master.after(100_000), [], "once");
    assert_eq!(master.ends(1, CRASH), [settle(1, true)], "killed for memory");
}

#[test]
fn a_successor_that_does_not_come_up_leaves_its_predecessor_serving() {
    let mut master = Master::ready(1);
    master.done(Event::Weighed { number: 1, memory: 101 << 20 });
    master.starts(2);
    assert_eq!(master.ends(2, CRASH), [settle(2, true), start(3)]);
    master.starts(3);
    assert_eq!(master.ends(3, CRASH), [settle(3, true)]);
    assert_eq!(master.after(1_000), [start(4)]);
    assert_eq!(master.comes_up(4), [tell(1, Signal::Quit)]);
    assert_eq!(master.ends(1, Ended::Status(0)), [settle(1, true)]);
}

#[test]
fn a_stuck_one_is_replaced_and_killed_when_its_neighbours_had_their_time() {
    let mut master = Master::ready(1);
    assert_eq!(master.says(1, Word::Stuck), [start(2)]);
    assert_eq!(master.after(28_000), [Action::Kill { number: 1 }]);
    assert_eq!(master.ends(1, CRASH), [settle(1, true)]);
    let mut master = Master::ready(1);
    master.says(1, Word::Stuck);
    assert_eq!(master.ends(1, Ended::Status(STUCK_STATUS)), [settle(1, true)]);
    // Also when somebody asks for its end meanwhile, or it learns of its handler when that was asked.
    for signal in [Signal::Term, Signal::Quit] {
        let mut master = Master::ready(1);
        master.says(1, Word::Stuck);
        master.signal(signal);
        assert_eq!(master.ends(1, CRASH), [settle(1, true)], "{signal:?}");
    }
    let mut master = Master::ready(1);
    master.signal(Signal::Quit);
    assert_eq!(master.ends(1, Ended::Status(STUCK_STATUS)), [settle(1, true), Action::Exit(0)]);
}

#[test]
fn quit_lets_all_finish_within_the_time_and_ends_well() {
    let mut master = Master::ready(2);
    assert_eq!(master.signal(Signal::Quit), [Action::Stopping, tell(1, Signal::Quit), tell(2, Signal::Quit)]);
    assert_eq!(master.signal(Signal::Quit), []);
    assert_eq!(master.says(1, Word::Spent), [], "nobody comes any more");
    assert_eq!(master.ends(1, Ended::Status(0)), [settle(1, false)]);
    assert_eq!(master.ends(2, Ended::Status(0)), [settle(2, false), Action::Exit(0)]);
}

#[test]
fn what_outlasts_the_time_is_killed_free_of_charge_and_said_by_the_status() {
    for (signal, span) in [(Signal::Quit, 26_000), (Signal::Term, 3_000), (Signal::Int, 3_000)] {
        let mut master = Master::ready(1);
        master.signal(signal);
        assert_eq!(master.policy.tick_at(), Some(master.now + span));
        assert_eq!(master.after(span), [Action::Kill { number: 1 }]);
        assert_eq!(master.ends(1, CRASH), [settle(1, false), Action::Exit(1)]);
    }
}

#[test]
fn term_overtakes_quit_and_a_second_one_kills() {
    let mut master = Master::ready(1);
    master.signal(Signal::Quit);
    assert_eq!(master.signal(Signal::Term), [tell(1, Signal::Term)]);
    assert_eq!(master.signal(Signal::Quit), []);
    assert_eq!(master.signal(Signal::Int), [Action::Kill { number: 1 }]);
    assert_eq!(master.signal(Signal::Term), []);
    assert_eq!(master.ends(1, CRASH), [settle(1, false), Action::Exit(1)]);
}

#[test]
fn a_process_that_does_not_read_yet_is_ended_by_a_signal() {
    let mut master = Master::ready(1);
    master.ends(1, CRASH);
    assert_eq!(master.signal(Signal::Quit), [Action::Stopping], "it is not there yet");
    assert_eq!(master.starts(2), [Action::Terminate { number: 2 }]);
    assert_eq!(master.ends(2, Ended::Signal(15)), [settle(2, false), Action::Exit(0)]);
}

#[test]
fn a_stop_while_nothing_runs_ends_at_once() {
    let mut master = Master::ready(1);
    master.ends(1, CRASH);
    master.starts(2);
    assert_eq!(master.ends(2, CRASH), [settle(2, true)]);
    assert_eq!(master.signal(Signal::Term), [Action::Stopping, Action::Exit(0)]);
    assert_eq!(master.after(100_000), []);
}

#[test]
fn signals_for_handlers_reach_all() {
    let mut master = Master::ready(2);
    for signal in [Signal::Usr1, Signal::Ttin] {
        assert_eq!(master.signal(signal), [tell(1, signal), tell(2, signal)]);
    }
    let described = master.on(Event::Signal(Signal::Ttin));
    assert!(described.contains(&Action::Say("process 2 (pid 102) serves".to_owned())), "{described:?}");
}

#[test]
fn a_pause_lasts_for_processes_that_come_later() {
    let mut master = Master::ready(1);
    assert_eq!(master.signal(Signal::Usr2), [tell(1, Signal::Usr2)]);
    let paused = Action::Start { number: 2, told: vec![Signal::Usr2] };
    assert_eq!(master.ends(1, CRASH), [settle(1, true), paused]);
    master.starts(2);
    assert_eq!(master.signal(Signal::Cont), [tell(2, Signal::Cont)], "a line waits for it");
    assert_eq!(master.ends(2, CRASH), [settle(2, true)]);
    assert_eq!(master.after(1_000), [start(3)]);
}

#[test]
fn hup_replaces_one_after_another_without_a_gap() {
    let mut master = Master::ready(2);
    assert_eq!(master.signal(Signal::Hup), [start(3)]);
    assert_eq!(master.comes_up(3), [tell(1, Signal::Quit), start(4)]);
    assert_eq!(master.comes_up(4), [tell(2, Signal::Quit)]);
    assert_eq!(master.ends(1, CRASH), [settle(1, false)]);
    assert_eq!(master.ends(2, Ended::Status(0)), [settle(2, false)]);
    assert_eq!(master.after(100_000), []);
}

#[test]
fn an_old_process_need_not_wait_for_its_successor() {
    let mut master = Master::ready(1);
    assert_eq!(master.signal(Signal::Hup), [start(2)]);
    assert_eq!(master.ends(1, CRASH), [settle(1, true)]);
    assert_eq!(master.comes_up(2), []);
}

#[test]
fn the_status_tells_what_serves() {
    let mut master = Master::ready(2);
    let status = |actions: Vec<Action>| {
        actions.into_iter().find_map(|action| if let Action::Status(text) = action { Some(text) } else { None })
    };
    assert_eq!(status(master.on(Event::Tick)), None);
    let crashed = master.on(Event::Ended { number: 1, how: CRASH });
    assert_eq!(status(crashed).unwrap(), "1 of 2 processes serve");
    assert_eq!(status(master.on(Event::Signal(Signal::Usr2))).unwrap(), "1 of 2 processes serve, paused");
    assert_eq!(status(master.on(Event::Signal(Signal::Quit))).unwrap(), "stopping; 2 processes left");
}
