//! What running handlers are told: that their lease is lost, that somebody wants them to end.

use std::sync::Mutex;
use std::sync::mpsc::channel;

use manyhands::{Client, Code, Interrupt, Outcome, Worker};

use crate::support::Server;
use crate::{LONG, finish, next, put, until, view, worker};

/// The interrupts that come, once there are any.
fn told(worker: &Worker) -> Vec<Interrupt> {
    let all = std::cell::RefCell::new(Vec::new());
    until("a handler must be told", || {
        all.borrow_mut().extend(worker.take_interrupts());
        !all.borrow().is_empty()
    });
    all.into_inner()
}

fn cancel(client: &Client, jid: &str) {
    client.call("job_cancel", &format!("{{\"jids\":[\"{jid}\"]}}")).unwrap();
}

#[test]
fn a_lost_lease_interrupts_its_handler_once() {
    let server = Server::start();
    let client = server.client();
    put(&client, 2, "k");
    let worker = worker(&client, ",\"threads\":2");
    let (lost, kept) = (next(&worker), next(&worker));
    assert_eq!(worker.take_interrupts(), []);
    cancel(&client, &lost.jid);
    let interrupt = Interrupt { jid: lost.jid.clone(), token: lost.token.clone(), reason: "cancelled".to_owned() };
    assert_eq!(told(&worker), [interrupt]);
    let lease_until = || view(&client, &kept.jid, "/lease_until_ms").as_u64();
    let before = lease_until();
    client.call("config_set", r#"{"name":"heartbeat","value":300000}"#).unwrap();
    until("another pulse", || lease_until() > before);
    assert_eq!(worker.take_interrupts(), []);
}

#[test]
fn killing_interrupts_every_handler_once_and_leaves_the_jobs_in_hand() {
    let server = Server::start();
    let client = server.client();
    put(&client, 3, "k");
    let worker = worker(&client, ",\"threads\":2");
    let jobs = [next(&worker), next(&worker)];
    assert_eq!(worker.interrupted(&jobs[1].jid, &jobs[1].token), None);
    worker.kill_running();
    worker.kill_running();
    assert_eq!(worker.interrupted(&jobs[1].jid, &jobs[1].token).as_deref(), Some("killed"));
    let mut killed: Vec<_> = worker.take_interrupts().into_iter().map(|one| (one.jid, one.reason)).collect();
    let mut all: Vec<_> = jobs.iter().map(|job| (job.jid.clone(), "killed".to_owned())).collect();
    killed.sort();
    all.sort();
    assert_eq!(killed, all);
    assert_eq!((worker.running(), worker.take_interrupts()), (2, vec![]));
    let released = worker.finish_wait(&jobs[0].jid, &jobs[0].token, Outcome::Release).unwrap();
    assert_eq!(released, "waiting");
    assert_eq!(view(&client, &jobs[0].jid, "/remaining"), view(&client, &jobs[0].jid, "/retries"), "no retry is spent");
    // The worker goes on.
    let third = next(&worker);
    worker.kill_running();
    assert_eq!(worker.take_interrupts().len(), 1, "the other was told before");
    finish(&worker, &third, Outcome::DONE);
    worker.kill_running();
    worker.stop(std::time::Duration::ZERO).unwrap();
}

#[test]
fn a_handler_that_has_ended_is_told_nothing() {
    let server = Server::start();
    let client = server.client();
    put(&client, 1, "k");
    let worker = worker(&client, "");
    let job = next(&worker);
    worker.kill_running();
    finish(&worker, &job, Outcome::DONE);
    assert_eq!(worker.take_interrupts(), []);
    worker.stop(LONG).unwrap();
}

#[test]
fn a_second_run_at_once_is_refused() {
    let server = Server::start();
    let client = server.client();
    put(&client, 1, "k");
    let worker = worker(&client, ",\"max_jobs\":1");
    let ((begun, begins), (go_on, end)) = (channel(), channel());
    let (begun, end) = (Mutex::new(begun), Mutex::new(end));
    let second = std::thread::scope(|scope| {
        let first = scope.spawn(|| {
            worker.run(|_| {
                begun.lock().unwrap().send(()).unwrap();
                end.lock().unwrap().recv().unwrap();
                Outcome::DONE
            })
        });
        begins.recv_timeout(LONG).unwrap();
        let second = worker.run(|_| Outcome::DONE);
        go_on.send(()).unwrap();
        first.join().unwrap().unwrap();
        second.unwrap_err()
    });
    let said = (second.code, second.message.as_str(), second.operation.as_deref());
    assert_eq!(said, (Code::WrongState, "the worker runs already", Some("worker_run")));
    assert_eq!(worker.run(|_| Outcome::DONE), Ok(()), "the first is over");
    worker.stop(LONG).unwrap();
}
