//! Hooks that take their time, and a log that nobody reads: they hold up no lease and no job.

use std::os::fd::AsRawFd;
use std::panic::AssertUnwindSafe;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};

use manyhands::{Hooks, Outcome, Put};

use crate::orders::status;
use crate::support::Server;
use crate::support::fork::{forked, succeeded};
use crate::{LONG, configure, next, put, until, worker};

/// Does not return from the news of a lost job until the test says so.
struct Slow {
    told: Sender<String>,
    go_on: Mutex<Receiver<()>>,
}

impl Hooks for Slow {
    fn on_lock_lost(&self, _worker: &str, jid: &str, _token: &str, _reason: &str) {
        self.told.send(jid.to_owned()).unwrap();
        let _ = self.go_on.lock().unwrap().recv();
    }
}

#[test]
fn a_hook_that_does_not_return_holds_up_no_lease() {
    let server = Server::start();
    let client = server.client();
    configure(&client, "heartbeat", 600);
    configure(&client, "grace-period", 100);
    let ((told, lost), (go_on, gate)) = (channel(), channel());
    let worker = worker(&client, r#","threads":3"#).hooked(Slow { told, go_on: Mutex::new(gate) });
    client.queue("q").put_many(["one", "two", "three"].map(|jid| Put::new("k").jid(jid))).unwrap();
    let [one, two, three] = [next(&worker), next(&worker), next(&worker)];
    client.call("job_cancel", r#"{"jids":["one"]}"#).unwrap();
    assert_eq!(lost.recv_timeout(LONG).unwrap(), one.jid);
    let lived = || status(&client, &worker).unwrap()["since_ms"].as_u64().unwrap();
    let then = lived();
    until("longer than lease and grace", || lived() > then + 1_000);
    assert_eq!(worker.lost(&two.jid, &two.token), None);
    assert_eq!(worker.finish_wait(&two.jid, &two.token, Outcome::DONE).unwrap(), "completed");
    // Those that are lost meanwhile are told in their turn, and a stop waits for that.
    client.call("job_cancel", r#"{"jids":["three"]}"#).unwrap();
    worker.finish_wait(&three.jid, &three.token, Outcome::DONE).unwrap_err();
    drop(go_on);
    worker.stop(LONG).unwrap();
    assert_eq!(lost.try_recv().unwrap(), three.jid);
}

/// Makes standard error a pipe that is full, and that nobody reads.
fn fill_stderr() {
    let (reader, mut writer) = std::io::pipe().unwrap();
    // SAFETY: the descriptors are open; nothing else in this forked child uses them.
    let size = unsafe { libc::fcntl(writer.as_raw_fd(), libc::F_GETPIPE_SZ) };
    std::io::Write::write_all(&mut writer, &vec![b'\n'; size as usize]).unwrap();
    // SAFETY: as above.
    assert_eq!(unsafe { libc::dup2(writer.as_raw_fd(), libc::STDERR_FILENO) }, libc::STDERR_FILENO);
    std::mem::forget(reader);
}

#[test]
fn a_log_that_nobody_reads_holds_up_no_job() {
    let server = Server::start();
    put(&server.client(), 50, "k");
    let child = forked(AssertUnwindSafe(|| {
        fill_stderr();
        // SAFETY: it only sets a clock that ends this child, should it be held up after all.
        unsafe { libc::alarm(LONG.as_secs() as u32) };
        let client = server.client();
        let worker = worker(&client, r#","log":"text","verbose":true"#);
        for _ in 0..50 {
            let job = next(&worker);
            worker.finish_wait(&job.jid, &job.token, Outcome::DONE).unwrap();
        }
        worker.stop(LONG).unwrap();
    }));
    assert!(succeeded(child), "it was held up");
    assert_eq!(server.client().queue("q").counts().unwrap().running, 0);
}
