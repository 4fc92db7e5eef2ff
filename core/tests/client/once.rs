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

/// The rest by table: what comes before, the call, and the reply that only the first of two equal calls gets, or a view of
/// what a second one would have changed: a pointer into the reply of another operation.
macro_rules! once {
    ($($operation:ident: $before:literal, $args:tt => $reply:literal $(, $look:ident $look_args:tt $pointer:literal == $seen:tt)?;)+) => {$(
        #[test]
        fn $operation() {
            both(|bench, cut| {
                for (operation, args) in before($before) {
                    bench.call(operation, args);
                }
                let token = bench.direct.call("job_get", r#"{"jid":"held"}"#).unwrap();
                let token = serde_json::from_str::<serde_json::Value>(&token).unwrap()["token"].clone();
                let mut args = json!($args);
                if args["token"] == true {
                    args["token"] = token;
                }
                assert_eq!(bench.cut(stringify!($operation), cut, args), $reply);
                $(assert_eq!(member(&bench.call(stringify!($look), json!($look_args)), $pointer), json!($seen));)?
            });
        }
    )+};
}

/// The calls that lead to a state: of words, each an operation with its arguments.
fn before(words: &str) -> Vec<(&'static str, serde_json::Value)> {
    words
        .split_whitespace()
        .map(|word| match word {
            "a" | "b" => ("queue_put", json!({"jobs": [{"queue": "q", "kind": "k", "jid": word, "tags": ["x"]}]})),
            "b-after-a" => {
                ("queue_put", json!({"jobs": [{"queue": "q", "kind": "k", "jid": "b", "dependencies": ["a"]}]}))
            }
            "held" => ("queue_put", json!({"jobs": [{"queue": "h", "kind": "k", "jid": "held", "retries": 3}]})),
            "hold" => ("queue_reserve", json!({"queues": ["h"], "worker": "w"})),
            "tracked" => ("job_track", json!({"jids": ["a"]})),
            "paused" => ("queue_pause", json!({"queues": ["q"]})),
            "cancelled" => ("job_cancel", json!({"jids": ["a"]})),
            "limited" => ("throttle_set", json!({"id": "t", "limit": 1})),
            "throttled" => {
                ("queue_put", json!({"jobs": [{"queue": "q", "kind": "k", "jid": "a", "throttles": ["t"]}]}))
            }
            "set" => ("config_set", json!({"name": "heartbeat", "value": 5000})),
            "pulsed" => ("worker_pulse", json!({"worker": "w", "status": {}, "jobs": []})),
            "recurring" => {
                ("recurring_put", json!({"jid": "r", "queue": "q", "kind": "k", "interval_ms": 3600000, "tags": ["x"]}))
            }
            "recurring-paused" => ("recurring_pause", json!({"jid": "r"})),
            other => panic!("nobody knows {other}"),
        })
        .collect()
}

once! {
    config_unset: "set", {"name": "heartbeat"} => r#""OK""#, config_get {"name": "heartbeat"} "" == 60_000;
    job_cancel: "a b", {"jids": ["a"]} => r#"["a"]"#;
    job_depend: "a b", {"jid": "b", "on": ["a", "none"]} => r#"["none"]"#, job_get {"jid": "b"} "/dependencies" == ["a"];
    job_prioritize: "a", {"jid": "a", "priority": 5} => r#""OK""#, job_get {"jid": "a"} "/priority" == 5;
    job_progress: "held hold", {"jid": "held", "token": true, "progress": 0.5} => r#""OK""#,
        job_get {"jid": "held"} "/progress/value" == 0.5;
    job_requeue: "a", {"jid": "a", "queue": "r"} => r#""waiting""#, queue_counts {"queue": "r"} "/waiting" == 1;
    job_save: "held hold", {"jid": "held", "token": true, "data": [1]} => "60000", job_get {"jid": "held"} "/data" == [1];
    job_tag: "a", {"jid": "a", "tags": ["y"]} => r#"["x","y"]"#, tag_list {} "/tags" == [["y", 1], ["x", 1]];
    job_timeout: "held hold", {"jid": "held"} => r#""waiting""#, job_get {"jid": "held"} "/remaining" == 2;
    job_track: "a", {"jids": ["a"]} => "1";
    job_undepend: "a b-after-a", {"jid": "b", "on": ["a"]} => r#""waiting""#, job_get {"jid": "b"} "/dependencies" == [];
    job_untag: "a", {"jid": "a", "tags": ["x"]} => "[]", tag_list {} "/total" == 0;
    job_untrack: "a tracked", {"jids": ["a"]} => "1";
    pattern_set: "", {"identifiers": {"i": ["p"]}} => r#""OK""#, pattern_get {} "/identifiers/i" == ["p"];
    queue_forget: "a cancelled", {"queues": ["q"]} => "1";
    queue_pause: "a", {"queues": ["q"]} => "1";
    queue_unpause: "a paused", {"queues": ["q"]} => "1";
    recurring_cancel: "recurring", {"jids": ["r"]} => "1";
    recurring_pause: "recurring", {"jid": "r"} => "1";
    recurring_put: "", {"jid": "r", "queue": "q", "kind": "k", "interval_ms": 3_600_000} => r#""OK""#,
        recurring_list {"queue": "q"} "/total" == 1;
    recurring_resume: "recurring recurring-paused", {"jid": "r"} => "1";
    recurring_tag: "recurring", {"jid": "r", "tags": ["y"]} => r#"["x","y"]"#;
    recurring_untag: "recurring", {"jid": "r", "tags": ["x"]} => "[]";
    recurring_update: "recurring", {"jid": "r", "priority": 5} => r#""OK""#, recurring_get {"jid": "r"} "/priority" == 5;
    throttle_delete: "limited", {"id": "t"} => "1";
    throttle_release: "limited throttled", {"id": "t", "jid": "a"} => "1";
    throttle_set: "", {"id": "t", "limit": 3} => r#""OK""#, throttle_get {"id": "t"} "/limit" == 3;
    worker_deregister: "pulsed", {"workers": ["w"]} => "1";
    worker_order: "pulsed", {"worker": "w", "order": "pause"} => "1";
}

#[test]
fn check() {
    both(|bench, cut| {
        bench.held("a");
        assert_eq!(member(&bench.cut("check", cut, json!({"repair": true})), "/violations"), json!([]));
    });
}

#[test]
fn job_log() {
    both(|bench, cut| {
        let token = bench.held("a");
        let entry = json!({"jid": "a", "token": token, "message": "m", "data": [1]});
        assert_eq!(bench.cut("job_log", cut, entry), r#""OK""#);
        assert_eq!(bench.times("a", "log"), 1);
    });
}

#[test]
fn failure_unfail() {
    both(|bench, cut| {
        let token = bench.held("a");
        bench.call("job_fail", json!({"jobs": [{"jid": "a", "token": token, "group": "g"}]}));
        assert_eq!(bench.cut("failure_unfail", cut, json!({"group": "g"})), "1");
        assert_eq!(bench.times("a", "put"), 2);
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
                    reserve: QueueReserve {
                        worker: "w".into(),
                        queues: vec!["q".into()],
                        limit: 1,
                        share: false.into(),
                    },
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
        let (function, row) = (format!("fn {test}()"), format!("\n    {test}: "));
        assert!(here.contains(&function) || here.contains(&row), "{} has no test", operation.name);
    }
}
