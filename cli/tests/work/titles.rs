//! What `ps` shows of a master and of processes.

use crate::master::{Master, until};

fn title(pid: u32) -> String {
    std::fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default().trim_end_matches('\0').to_owned()
}

fn becomes(pid: u32, expected: &str) {
    until(&format!("its title is {expected}"), || title(pid) == expected);
}

#[test]
fn titles_show_how_the_service_does_and_what_a_process_runs() {
    let mut master = Master::start(&["--queues", "q,r-*", "--thread-count", "2"]);
    let own = master.child.id();
    becomes(own, "manyhands master [q,r-*] 1 of 1 processes serve");
    let jid = master.put_one("hold", 0);
    let held = master.held();
    let pid = held.pid.unsigned_abs();
    becomes(pid, &format!("manyhands worker [q,r-*] 1/2 hold {jid}"));
    master.signal(libc::SIGUSR2);
    becomes(own, "manyhands master [q,r-*] 1 of 1 processes serve, paused");
    becomes(pid, &format!("manyhands worker paused [q,r-*] 1/2 hold {jid}"));
    master.signal(libc::SIGCONT);
    becomes(pid, &format!("manyhands worker [q,r-*] 1/2 hold {jid}"));
    master.signal(libc::SIGQUIT);
    becomes(own, "manyhands master [q,r-*] stopping; 1 processes left");
    becomes(pid, &format!("manyhands worker stopping [q,r-*] 1/2 hold {jid}"));
    held.finish();
    assert_eq!(master.status(), 0);
}

#[test]
fn a_process_without_a_master_has_a_title_and_a_master_that_knows_no_queues_shows_none() {
    let single = Master::start(&["--run-as-single-process"]);
    let jid = single.put_one("hold", 0);
    let held = single.held();
    becomes(held.pid.unsigned_abs(), &format!("manyhands worker [q] 1/1 hold {jid}"));
    let master = Master::start(&[]);
    becomes(master.child.id(), "manyhands master 1 of 1 processes serve");
}
