//! A host whose threads are struck by signals all the time loses nothing and reconnects never.

use std::os::unix::thread::JoinHandleExt;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use manyhands::Put;

use crate::support::Server;

static STRIKES: AtomicU32 = AtomicU32::new(0);

extern "C" fn strike(_signal: libc::c_int) {
    STRIKES.fetch_add(1, Ordering::Relaxed);
}

/// Counts SIGUSR2, without SA_RESTART: a system call it interrupts fails with EINTR.
fn install() {
    // SAFETY: the handler only adds to an atomic.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = strike as *const () as libc::sighandler_t;
        libc::sigaction(libc::SIGUSR2, &raw const action, std::ptr::null_mut());
    }
}

#[test]
fn calls_survive_a_storm_of_signals() {
    install();
    let server = Server::start();
    let client = server.client();
    client.queue("q").counts().unwrap();
    let worker = {
        let client = client.clone();
        thread::spawn(move || {
            for _ in 0..1000 {
                client.queue("q").put(Put::new("k")).unwrap();
            }
            client.lane().block_pop(&["nothing".to_owned()], Duration::from_millis(50)).unwrap()
        })
    };
    while !worker.is_finished() {
        // SAFETY: the thread has not been joined, so its id is valid.
        unsafe { libc::pthread_kill(worker.as_pthread_t(), libc::SIGUSR2) };
        thread::yield_now();
    }
    assert_eq!(worker.join().unwrap(), None);
    assert!(STRIKES.load(Ordering::Relaxed) > 20, "the signals arrived");
    assert_eq!(client.queue("q").counts().unwrap().waiting, 1000);
    let mut direct = redis::Client::open(server.url()).unwrap().get_connection().unwrap();
    let info: String = redis::cmd("INFO").arg("stats").query(&mut direct).unwrap();
    let line = info.lines().find_map(|line| line.strip_prefix("total_connections_received:")).unwrap();
    let connections: u32 = line.trim().parse().unwrap();
    // One to see whether the server is up, the client's, and this last one.
    assert!(connections <= 3, "{connections} connections");
}
