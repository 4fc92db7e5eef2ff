//! `manyhands work` with real processes and real signals. The program that it keeps is this very test's, see `worker`.

mod deaths;
mod examples;
mod master;
mod programs;
mod recycling;
mod signals;
#[path = "../../../core/tests/support/mod.rs"]
mod support;
mod titles;

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use manyhands::{Client, Outcome, Put, WORK_SETTINGS, WorkSetting, WorkSettings, Worker};
use master::{BEGUN, HOLD, Held, Master, PATIENCE, is_gone, kill, until, until_some};
use support::Server;

/// Not a test but the program of all of them.
#[test]
#[ignore = "started by the others"]
fn worker() {
    let settings = WorkSettings::from_environment().unwrap();
    let client = Client::open(settings.url.as_deref(), &settings.client_options("{}").unwrap()).unwrap();
    let options = r#"{"queues":["q"],"kinds":["done","hold","heedless","stubborn","deaf","stuck","crash","grow","bloat","work",
        "leak"],"timeouts":{"stuck":50},"kill_timeout_ms":50}"#;
    let worker = Worker::open(&client, &settings.worker_options(options).unwrap()).unwrap();
    worker.obey_signals().unwrap();
    let done = worker.run(|job| match job.kind.as_str() {
        "hold" => match hold(&job.jid, || worker.interrupted(&job.jid, &job.token).is_some()) {
            true => Outcome::DONE,
            false => Outcome::Release,
        },
        "heedless" => {
            hold(&job.jid, || false);
            Outcome::completed(Some(&std::process::id().to_string()), "").unwrap()
        }
        "stubborn" | "stuck" => stay(&job.jid),
        "deaf" => {
            // SAFETY: blocks all signals of this thread.
            unsafe {
                let mut all: libc::sigset_t = std::mem::zeroed();
                libc::sigfillset(&raw mut all);
                libc::pthread_sigmask(libc::SIG_BLOCK, &raw const all, std::ptr::null_mut());
            }
            stay(&job.jid)
        }
        "bloat" => {
            std::mem::forget(vec![1_u8; 80 << 20]);
            stay(&job.jid)
        }
        "work" => {
            note_begun(&job.jid);
            Outcome::DONE
        }
        "leak" => {
            note_begun(&job.jid);
            std::mem::forget(vec![1_u8; recycling::LEAK]);
            Outcome::DONE
        }
        "crash" => std::process::abort(),
        "grow" => {
            std::mem::forget(vec![1_u8; 80 << 20]);
            Outcome::DONE
        }
        _ => Outcome::DONE,
    });
    done.unwrap();
    worker.stop(Duration::from_secs(5)).unwrap();
}

/// Never ends.
fn stay(jid: &str) -> ! {
    let _held = say_held(jid);
    loop {
        thread::park();
    }
}

fn say_held(jid: &str) -> UnixStream {
    let mut test = UnixStream::connect(std::env::var(HOLD).unwrap()).unwrap();
    writeln!(test, "{jid} {}", std::process::id()).unwrap();
    test
}

/// One write: processes write to the same file.
fn note_begun(jid: &str) {
    let begun = Path::new(&std::env::var(HOLD).unwrap()).with_file_name(BEGUN);
    let mut begun = File::options().append(true).create(true).open(begun).unwrap();
    begun.write_all(format!("{} {jid}\n", std::process::id()).as_bytes()).unwrap();
}

/// Runs until the test says so, or it is to end before: then it is false.
fn hold(jid: &str, is_to_end: impl Fn() -> bool) -> bool {
    let test = say_held(jid);
    test.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
    while !is_to_end() {
        match (&test).read(&mut [0]) {
            Ok(1) => return true,
            Ok(_) => panic!("the test is gone"),
            Err(_) => {}
        }
    }
    false
}

// A1 A3 A7
#[test]
fn as_many_processes_as_asked_for_appear_and_quit_lets_jobs_finish() {
    let mut master = Master::start_in(&["--worker-count", "3"], &[("WORKER_COUNT", "1"), ("THREAD_COUNT", "2")]);
    until("three workers", || master.workers().len() == 3);
    master.put("hold", 6);
    let held: Vec<Held> = (0..6).map(|_| master.held()).collect();
    assert_eq!(held.iter().map(|held| i64::from(held.pid)).collect::<BTreeSet<_>>(), master.workers());
    master.put("done", 1);
    master.signal(libc::SIGQUIT);
    until("none takes jobs", || master.all_quiet());
    let jids: Vec<String> = held.iter().map(|held| held.jid.clone()).collect();
    held.into_iter().for_each(Held::finish);
    assert_eq!(master.status(), 0);
    assert!(jids.iter().all(|jid| master.view(jid, "/state") == "completed"));
    assert_eq!(master.counts(), (1, 0), "nothing new was begun");
}

// A5
#[test]
fn term_and_int_release_what_runs_for_free_and_end_in_time() {
    for signal in [libc::SIGTERM, libc::SIGINT] {
        let mut master = Master::start(&["--worker-count", "2"]);
        master.put("hold", 3);
        let (mut first, mut second) = (master.held(), master.held());
        let begun = Instant::now();
        master.signal(signal);
        first.ended();
        second.ended();
        assert_eq!(master.status(), 0);
        assert!(begun.elapsed() < Duration::from_secs(3));
        assert_eq!(master.counts(), (3, 0));
        assert_eq!(master.view(&first.jid, "/remaining"), 2, "free of charge");
    }
}

#[test]
fn a_handler_that_does_not_end_at_term_is_killed_and_its_job_goes_back_for_free() {
    let mut master = Master::start(&[]);
    master.put("stubborn", 1);
    let held = master.held();
    master.signal(libc::SIGTERM);
    assert_eq!(master.status(), 1);
    assert!(is_gone(held.pid));
    assert_eq!((master.counts(), master.view(&held.jid, "/remaining")), ((1, 0), 2.into()));
}

#[test]
fn a_second_term_ends_at_once() {
    let mut master = Master::start(&[]);
    master.put("stubborn", 1);
    let mut held = master.held();
    master.signal(libc::SIGQUIT);
    until("it is quiet", || master.all_quiet());
    let begun = Instant::now();
    master.signal(libc::SIGTERM);
    // Two equal signals may become one while the first is not taken.
    master.signal(libc::SIGINT);
    held.ended();
    assert_eq!(master.status(), 1);
    assert!(begun.elapsed() < Duration::from_millis(1_500), "{:?}", begun.elapsed());
    assert_eq!((master.counts(), master.view(&held.jid, "/remaining")), ((1, 0), 2.into()));
}

// A5 A6
#[test]
fn usr1_interrupts_what_runs_everywhere_and_the_processes_go_on() {
    let master = Master::start(&["--worker-count", "2"]);
    master.put("hold", 2);
    let (mut first, mut second) = (master.held(), master.held());
    let before = BTreeSet::from([first.pid, second.pid]);
    master.signal(libc::SIGUSR1);
    first.ended();
    second.ended();
    let (third, fourth) = (master.held(), master.held());
    assert_eq!(BTreeSet::from([third.pid, fourth.pid]), before);
    assert_eq!(BTreeSet::from([&third.jid, &fourth.jid]), BTreeSet::from([&first.jid, &second.jid]));
    assert_eq!(master.view(&third.jid, "/remaining"), 2);
}

#[test]
fn usr2_pauses_also_those_that_come_later_and_cont_resumes() {
    let mut master = Master::start(&[]);
    master.put("hold", 1);
    let held = master.held();
    master.signal(libc::SIGUSR2);
    kill(held.pid, libc::SIGKILL);
    master.says("died of signal 9");
    until("another worker", || master.workers().iter().any(|pid| *pid != i64::from(held.pid)));
    master.put("hold", 1);
    master.all_serve(1);
    assert_eq!(master.counts(), (2, 0));
    master.signal(libc::SIGCONT);
    assert_eq!(master.held().jid, held.jid);
}

// A2 A3
#[test]
fn processes_are_replaced_after_so_many_jobs() {
    let mut master = Master::start(&["--jobs-per-fork", "50", "--worker-count", "2"]);
    let seen = RefCell::new(BTreeSet::new());
    master.put("done", 1_000);
    until("all is done", || {
        seen.borrow_mut().extend(master.workers());
        master.counts() == (0, 0)
    });
    master.signal(libc::SIGQUIT);
    assert_eq!(master.status(), 0);
    assert!(seen.borrow().len() >= 5, "{seen:?}");
    let failed = master.client.call("failure_groups", "{}").unwrap();
    assert_eq!(support::member(&failed, "/groups"), serde_json::json!([]), "nobody crashed");
}

#[test]
fn a_successor_takes_jobs_while_its_predecessor_still_runs_its_last() {
    let mut master = Master::start(&["--jobs-per-fork", "2"]);
    master.put("hold", 3);
    let first = master.held();
    let pid = first.pid;
    first.finish();
    let second = master.held();
    assert_eq!(second.pid, pid);
    let third = master.held();
    assert_ne!(third.pid, pid, "another has begun, and the old one is there");
    assert!(!is_gone(pid));
    second.finish();
    until("the old one has ended", || is_gone(pid));
    third.finish();
    master.signal(libc::SIGQUIT);
    assert_eq!(master.status(), 0);
}

#[test]
fn one_with_too_much_memory_is_replaced() {
    let mut master = Master::start(&["--max-memory-mb", "64"]);
    until("a worker", || master.workers().len() == 1);
    let before = master.workers();
    master.put("grow", 1);
    master.says("more than 64; it is replaced");
    until("another", || !master.workers().is_subset(&before));
    until("the old one has ended", || before.iter().all(|pid| is_gone(*pid as i32)));
    master.signal(libc::SIGTERM);
    assert_eq!(master.status(), 0);
}

#[test]
fn a_job_that_always_crashes_fails_and_its_master_takes_its_time() {
    let mut master = Master::start(&["--worker-count", "2"]);
    let jid = master.client.queue("q").put(Put::new("crash").retries(2)).unwrap();
    let jid = jid.jid;
    until("it has failed", || master.view(&jid, "/state") == "failed");
    assert_eq!(master.view(&jid, "/failure/group"), "failed-retries-q");
    for _ in 0..3 {
        master.says("died of signal 6");
    }
}

// A7
#[test]
fn the_service_manager_learns_when_it_is_up_and_when_it_ends() {
    let folder = support::Folder::new();
    let path = folder.join("notify.sock");
    let manager = UnixDatagram::bind(&path).unwrap();
    manager.set_read_timeout(Some(PATIENCE)).unwrap();
    let heard = |what: &str| {
        let mut buffer = [0; 128];
        while {
            let length = manager.recv(&mut buffer).expect(what);
            !buffer[..length].starts_with(what.as_bytes())
        } {}
    };
    let variables = [("NOTIFY_SOCKET", path.to_str().unwrap()), ("WATCHDOG_USEC", "20000")];
    let mut master = Master::start_in(&["--worker-count", "2"], &variables);
    heard("READY=1");
    heard("STATUS=2 of 2 processes serve");
    heard("WATCHDOG=1");
    heard("WATCHDOG=1");
    master.signal(libc::SIGQUIT);
    heard("STOPPING=1");
    assert_eq!(master.status(), 0);
}

// A2: HUP is what a service manager sends for a reload.
#[test]
fn hup_replaces_every_process_in_turn() {
    let mut master = Master::start(&["--worker-count", "2"]);
    until("two workers", || master.workers().len() == 2);
    let before = master.workers();
    master.signal(libc::SIGHUP);
    until("the old ones have ended", || before.iter().all(|pid| is_gone(*pid as i32)));
    assert!(master.workers().difference(&before).count() >= 2);
    master.signal(libc::SIGTERM);
    assert_eq!(master.status(), 0);
}

#[test]
fn a_crash_loop_backs_off() {
    let server = Server::start();
    let mut child = Command::new(env!("CARGO_BIN_EXE_manyhands"))
        .args(["work", "--url", &server.url(), "--", "false"])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    for wait in ["another comes up", "another comes up in 1 s", "another comes up in 2 s"] {
        assert!(lines.next().unwrap().ends_with(&format!("ended with status 1; {wait}")));
    }
    kill(child.id().cast_signed(), libc::SIGTERM);
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

/// A process that does not outlive its test.
struct Ended(RefCell<Child>);

impl Drop for Ended {
    fn drop(&mut self) {
        let child = self.0.get_mut();
        drop(child.kill());
        drop(child.wait());
    }
}

#[test]
fn a_master_whose_log_nobody_reads_does_its_work_and_ends() {
    let server = Server::start();
    let begun = server.folder.join(BEGUN);
    let (_reader, log) = support::full_pipe();
    let child = Command::new(env!("CARGO_BIN_EXE_manyhands"))
        .args(["work", "--url", &server.url(), "--", "sh", "-c", "echo >>$0; exit 1", begun.to_str().unwrap()])
        .stderr(log)
        .spawn()
        .unwrap();
    let child = Ended(RefCell::new(child));
    let pid = child.0.borrow().id().cast_signed();
    until("another has come after the first", || std::fs::read(&begun).is_ok_and(|begun| begun.len() > 1));
    kill(pid, libc::SIGTERM);
    let status = until_some("the master has ended", || child.0.borrow_mut().try_wait().unwrap());
    assert_eq!(status.code(), Some(0));
}

// A1
#[test]
fn help_names_every_setting_with_its_unit_and_default() {
    let output = Command::new(env!("CARGO_BIN_EXE_manyhands")).args(["work", "--help"]).output().unwrap();
    assert!(output.status.success());
    let said = String::from_utf8(output.stdout).unwrap().split_whitespace().collect::<Vec<_>>().join(" ");
    for setting in WORK_SETTINGS {
        let parts = [&format!("--{} ", setting.flag), setting.name, setting.unit, setting.default];
        assert!(parts.iter().all(|part| said.contains(part)), "{}: {said}", setting.name);
        let is_own = !["MANYHANDS_URL", "NAMESPACE"].contains(&setting.name);
        assert!(!is_own || said.contains(&setting_help(&setting)), "{}: {said}", setting.name);
    }
}

/// What it is for, what it is when nobody says, and its variable.
fn setting_help(setting: &WorkSetting) -> String {
    let default = if setting.default.is_empty() { String::new() } else { format!(" Default: {}", setting.default) };
    format!("{}{default} [{}]", setting.help, setting.name)
}

#[test]
fn nonsense_is_said_and_a_program_that_is_not_there_ends_the_master() {
    let run = |arguments: &[&str], variables: &[(&str, &str)]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_manyhands"));
        let output = command.arg("work").args(arguments).envs(variables.iter().copied()).output().unwrap();
        (output.status.code().unwrap(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (status, said) = run(&["--worker-count", "many", "--", "true"], &[]);
    assert!(status == 2 && said.contains("--worker-count many is not a whole number"), "{said}");
    let (status, said) = run(&["--", "true"], &[("MAX_MEMORY_MB", "-1")]);
    assert!(status == 2 && said.contains("MAX_MEMORY_MB -1 is outside 0.."), "{said}");
    let (status, said) = run(&["--", "/no/such/program"], &[("MANYHANDS_URL", "unix:///nowhere.sock")]);
    assert!(status == 127 && said.contains("no process can be started"), "{said}");
    let (status, said) = run(&["--run-as-single-process", "--", "sh", "-c", "exit 7"], &[]);
    assert_eq!(status, 7, "{said}");
}
