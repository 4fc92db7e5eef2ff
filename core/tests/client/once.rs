//! The connection is cut at each writing operation; its effect is seen exactly once.

use manyhands::Client;
use manyhands::ops::OPERATIONS;
use serde_json::json;

use crate::proxy::{Cut, Proxy};
use crate::support::{Server, member};

/// A server, a direct client to look with, and one through the proxy.
struct Bench {
    _server: Server,
    proxy: Proxy,
    direct: Client,
    cut: Client,
}

impl Bench {
    fn new() -> Bench {
        let server = Server::start();
        let proxy = Proxy::before(&server.socket(), server.folder.join("proxy.sock"));
        let direct = server.client();
        let cut = Client::open(Some(&format!("unix://{}", proxy.socket.display())), "{}").unwrap();
        cut.call("engine_version", "{}").unwrap();
        Bench { _server: server, proxy, direct, cut }
    }

    fn call(&self, operation: &str, args: serde_json::Value) -> String {
        self.direct.call(operation, &args.to_string()).unwrap()
    }

    fn cut(&self, operation: &str, cut: Cut, args: serde_json::Value) -> String {
        self.proxy.cut_at(&format!("mh1_{operation}"), cut);
        let reply = self.cut.call(operation, &args.to_string()).unwrap();
        assert!(self.proxy.has_cut(), "{operation} did not pass the proxy");
        reply
    }

    /// Puts a job and reserves it; answers its token.
    fn held(&self, jid: &str) -> String {
        self.call("queue_put", json!({"jobs": [{"queue": "q", "kind": "k", "jid": jid, "retries": 3}]}));
        let reserved = self.call("queue_reserve", json!({"queues": ["q"], "worker": "w"}));
        assert_eq!(member(&reserved, "/jobs/0/jid"), jid);
        member(&reserved, "/jobs/0/token").as_str().unwrap().to_owned()
    }

    fn view(&self, jid: &str) -> String {
        self.call("job_get", json!({"jid": jid}))
    }

    /// How often `what` stands in the history of the job.
    fn times(&self, jid: &str, what: &str) -> usize {
        let history = member(&self.view(jid), "/history");
        history.as_array().unwrap().iter().filter(|entry| entry["what"] == what).count()
    }
}

fn both(check: impl Fn(&Bench, Cut)) {
    for cut in [Cut::Answer, Cut::Call] {
        check(&Bench::new(), cut);
    }
}

#[test]
fn queue_put() {
    both(|bench, cut| {
        let reply = bench.cut("queue_put", cut, json!({"jobs": [{"queue": "q", "kind": "k", "jid": "a"}]}));
        assert_eq!(member(&reply, "/0/outcome"), "put");
        assert_eq!(bench.times("a", "put"), 1);
    });
}

#[test]
fn queue_reserve() {
    both(|bench, cut| {
        bench.call(
            "queue_put",
            json!({"jobs": [{"queue": "q", "kind": "k", "jid": "a"}, {"queue": "q", "kind": "k", "jid": "b"}]}),
        );
        let reply = bench.cut("queue_reserve", cut, json!({"queues": ["q"], "worker": "w"}));
        assert_eq!(member(&reply, "/jobs/0/jid"), "a");
        assert_eq!(member(&reply, "/jobs/0/token"), member(&bench.view("a"), "/token"));
        assert_eq!(member(&bench.view("b"), "/state"), "waiting");
    });
}

#[test]
fn job_complete() {
    both(|bench, cut| {
        let token = bench.held("a");
        let reply = bench.cut("job_complete", cut, json!({"jobs": [{"jid": "a", "token": token, "run_ms": 5}]}));
        assert_eq!(member(&reply, "/0/outcome"), "completed");
        assert_eq!(bench.times("a", "completed"), 1);
        assert_eq!(member(&bench.call("queue_stats", json!({"queue": "q"})), "/run/count"), 1);
    });
}

#[test]
fn job_fail() {
    both(|bench, cut| {
        let token = bench.held("a");
        let reply = bench.cut("job_fail", cut, json!({"jobs": [{"jid": "a", "token": token, "group": "g"}]}));
        assert_eq!(member(&reply, "/0/outcome"), "failed");
        assert_eq!(bench.times("a", "failed"), 1);
    });
}

#[test]
fn job_retry() {
    both(|bench, cut| {
        let token = bench.held("a");
        let reply = bench.cut("job_retry", cut, json!({"jobs": [{"jid": "a", "token": token, "delay_ms": 0}]}));
        assert_eq!(member(&reply, "/0/outcome"), "waiting");
        assert_eq!(member(&bench.view("a"), "/remaining"), 2);
    });
}

#[test]
fn job_snooze() {
    both(|bench, cut| {
        let token = bench.held("a");
        let reply = bench.cut("job_snooze", cut, json!({"jobs": [{"jid": "a", "token": token, "delay_ms": 60000}]}));
        assert_eq!(member(&reply, "/0/outcome"), "scheduled");
        assert_eq!(bench.times("a", "snoozed"), 1);
    });
}

#[test]
fn job_release() {
    both(|bench, cut| {
        let token = bench.held("a");
        let reply = bench.cut("job_release", cut, json!({"jobs": [{"jid": "a", "token": token}]}));
        assert_eq!(member(&reply, "/0/outcome"), "waiting");
    });
}

#[test]
fn job_heartbeat() {
    both(|bench, cut| {
        let token = bench.held("a");
        let reply = bench.cut("job_heartbeat", cut, json!({"jobs": [{"jid": "a", "token": token}]}));
        assert_eq!(member(&reply, "/0/lease_ms"), 60_000);
    });
}

#[test]
fn config_set() {
    both(|bench, cut| {
        bench.cut("config_set", cut, json!({"name": "heartbeat", "value": 5000}));
        assert_eq!(bench.call("config_get", json!({"name": "heartbeat"})), "5000");
    });
}

#[test]
fn worker_lost() {
    both(|bench, cut| {
        bench.held("a");
        let reply = bench.cut("worker_lost", cut, json!({"worker": "w", "started": ["a"]}));
        assert_eq!(member(&reply, "/lost"), 1);
        assert_eq!(member(&bench.view("a"), "/remaining"), 2);
    });
}

#[test]
fn sweep() {
    both(|bench, cut| {
        assert_eq!(member(&bench.cut("sweep", cut, json!({})), "/moved"), 0);
    });
}

/// The turn and the pulse go through a lane, as the door does not speak them.
mod worker {
    use super::*;
    use manyhands::Answer;
    use manyhands::ops::{Completion, Ended, Ending, Lease, QueueReserve, WorkerPulse, WorkerTurn};

    #[test]
    fn turn() {
        both(|bench, cut| {
            let token = bench.held("a");
            bench.call("queue_put", json!({"jobs": [{"queue": "q", "kind": "k", "jid": "b"}]}));
            bench.proxy.cut_at("mh1_worker_turn", cut);
            let how = Ending::Complete(Completion::default());
            let turned = bench
                .cut
                .send(WorkerTurn {
                    reserve: QueueReserve { worker: "w".into(), queues: vec!["q".into()], limit: 1, share: false },
                    ended: vec![Ended { jid: "a".into(), token, run_ms: 1, how }],
                })
                .unwrap();
            assert!(bench.proxy.has_cut());
            assert_eq!(turned.answers, vec![Answer::State("completed".into())]);
            assert_eq!(turned.reserved.jobs[0].jid, "b");
            assert_eq!(bench.times("a", "completed"), 1);
        });
    }

    #[test]
    fn pulse() {
        both(|bench, cut| {
            let token = bench.held("a");
            bench.proxy.cut_at("mh1_worker_pulse", cut);
            let status = json!({"language": "rust", "version": "0", "host": "h", "pid": 1, "threads": 1, "queues": ["q"],
                "kinds": ["k"], "running": 1, "quiet": false});
            let leases = vec![Lease { jid: "a".into(), token }];
            let pulsed =
                bench.cut.send(WorkerPulse { worker: "w".into(), status: status.to_string(), leases }).unwrap();
            assert!(bench.proxy.has_cut());
            assert_eq!(pulsed.lost, vec![None]);
        });
    }
}

#[test]
fn no_writing_operation_is_forgotten_here() {
    let here = include_str!("once.rs");
    for operation in OPERATIONS.iter().filter(|operation| operation.writes) {
        let test = match operation.name.strip_prefix("worker_") {
            Some(name @ ("turn" | "pulse")) => name,
            _ => operation.name,
        };
        assert!(here.contains(&format!("fn {test}()")), "{} has no test", operation.name);
    }
}
