//! The asynchronous client against real servers.

mod handlers;
mod kinds;
mod middleware;
#[path = "../client/proxy.rs"]
mod proxy;
#[path = "../support/mod.rs"]
mod support;
mod testing;
mod ttin;

use std::future::Future;
use std::pin::pin;
use std::time::{Duration, Instant};

use manyhands::ops::{Completion, Ended, JobComplete, QueuePut, QueueReserve};
use manyhands::{Answer, AsyncClient, Client, Code, Put};
use proxy::{Cut, Proxy};
use support::fork::{forked, succeeded};
use support::{Server, member};

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

fn threaded<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap().block_on(future)
}

fn client(server: &Server) -> AsyncClient {
    client_with(server, "{}")
}

fn client_with(server: &Server, options: &str) -> AsyncClient {
    AsyncClient::open(Some(&server.url()), options).unwrap()
}

fn one() -> QueuePut {
    QueuePut::new([Put::new("k").queue("q")])
}

/// How many jobs of the queue wait.
async fn waiting(client: &AsyncClient) -> u64 {
    let counts = client.call("queue_counts", r#"{"queue":"q"}"#).await.unwrap();
    member(&counts, "/waiting").as_u64().unwrap()
}

/// Polls all of these at once until all are done.
async fn all<F: Future<Output: Send + 'static> + Send + 'static>(
    futures: impl IntoIterator<Item = F>,
) -> Vec<F::Output> {
    let tasks: Vec<_> = futures.into_iter().map(tokio::spawn).collect();
    let mut done = Vec::new();
    for task in tasks {
        done.push(task.await.unwrap());
    }
    done
}

/// Connections the server has accepted so far, but for the one that asks.
fn connections(server: &Server) -> u64 {
    let mut direct = redis::Client::open(server.url()).unwrap().get_connection().unwrap();
    let info: String = redis::cmd("INFO").arg("stats").query(&mut direct).unwrap();
    let line = info.lines().find_map(|line| line.strip_prefix("total_connections_received:")).unwrap();
    line.trim().parse::<u64>().unwrap() - 1
}

#[test]
fn many_calls_at_once_go_over_tls() {
    let server = Server::start_tls(&[]);
    threaded(async {
        let client = AsyncClient::open(Some(&server.tls_url("?ca=DIR/ca.pem")), "{}").unwrap();
        let data = format!("\"{}\"", "x".repeat(50_000));
        let puts = (0..100).map(|_| {
            let (client, put) = (client.clone(), Put::new("k").queue("q").data(&*data));
            async move { client.send(QueuePut::new([put])).await.unwrap() }
        });
        assert_eq!(all(puts).await.len(), 100);
        assert_eq!(waiting(&client).await, 100);
        let reserve = QueueReserve { worker: "w".into(), queues: vec!["q".into()], limit: 100, share: false.into() };
        let jobs = client.send(reserve).await.unwrap().jobs;
        assert!(jobs.iter().all(|job| job.data == data) && jobs.len() == 100);
        let stranger = AsyncClient::open(Some(&server.tls_url("?ca=DIR/other.pem")), "{}").unwrap();
        assert_eq!(stranger.send(one()).await.unwrap_err().code, Code::Denied);
    });
}

#[test]
fn a_job_lives_by_requests() {
    let server = Server::start();
    run(async {
        let client = client(&server);
        let placed = client.send(QueuePut::new([Put::new("k").queue("q").jid("a").data("[1.0]")])).await.unwrap();
        assert_eq!((placed[0].jid.as_str(), placed[0].outcome.as_str()), ("a", "put"));
        let reserve = QueueReserve { worker: "w".into(), queues: vec!["q".into()], limit: 5, share: false.into() };
        let job = client.send(reserve).await.unwrap().jobs.remove(0);
        assert_eq!((job.jid.as_str(), job.data.as_str()), ("a", "[1.0]"));
        let ended = Ended { jid: job.jid, token: job.token, run_ms: 1, how: Completion::default() };
        let answers = client.send(JobComplete { jobs: vec![ended] }).await.unwrap();
        assert_eq!(answers, [Answer::State("completed".into())]);
        let view = client.call("job_get", r#"{"jid":"a"}"#).await.unwrap();
        assert_eq!(member(&view, "/state"), "completed");
        assert_eq!(client.blocking().job("a").unwrap().unwrap().data, "[1.0]");
    });
}

#[test]
fn the_door_is_that_of_the_blocking_client() {
    let server = Server::start();
    run(async {
        let client = client(&server);
        let put = r#"{"jobs":[{"queue":"q","kind":"k","jid":"a","data":{"x":[1, 2]}}]}"#;
        assert_eq!(client.call("queue_put", put).await.unwrap(), r#"[{"jid":"a","outcome":"put","satisfied":[]}]"#);
        let reserved = client.call("queue_reserve", r#"{"queues":["q"]}"#).await.unwrap();
        assert!(reserved.contains(r#""data":{"x":[1, 2]}"#), "{reserved}");
        assert_eq!(member(&reserved, "/jobs/0/worker"), client.blocking().worker_name());
        let entry = r#"{"jid":"a","message":"m","data":{"y": 1.0}}"#;
        assert_eq!(client.call("job_log", entry).await.unwrap(), r#""OK""#);
        let late = client.call("job_complete", r#"{"jobs":[{"jid":"a","token":"1"}]}"#).await.unwrap();
        assert_eq!(member(&late, "/0/error/name"), "LOCK_LOST");
        let error = client.call("queue_pop", "{}").await.unwrap_err();
        assert_eq!((error.code, error.operation.as_deref()), (Code::UnknownOperation, Some("queue_pop")));
        for (operation, args) in [("queue_put", r#"{"jobs":[]}"#), ("job_get", "[]"), ("job_get", r#"{"jid":""}"#)] {
            let error = client.call(operation, args).await.unwrap_err();
            assert_eq!((error.code, error.operation.as_deref()), (Code::InvalidArgument, Some(operation)), "{error}");
        }
        let error = client.send(QueuePut::new([Put::new("").queue("q")])).await.unwrap_err();
        assert_eq!((error.code, error.operation.as_deref()), (Code::InvalidArgument, Some("queue_put")), "{error}");
        assert!(AsyncClient::open(Some("gopher://x"), "").is_err());
    });
}

#[test]
fn many_calls_at_once_share_one_connection() {
    let server = Server::start();
    threaded(async {
        let client = client(&server);
        assert_eq!(waiting(&client).await, 0);
        let before = connections(&server);
        let puts = (0..2000).map(|_| {
            let client = client.clone();
            async move { client.send(one()).await.unwrap().remove(0).outcome }
        });
        assert!(all(puts).await.iter().all(|outcome| outcome == "put"));
        assert_eq!(waiting(&client).await, 2000);
        assert_eq!(connections(&server) - before, 1, "the one that asked before");
    });
}

#[test]
fn calls_that_wait_are_written_together() {
    let server = Server::start();
    run(async {
        let client = client(&server);
        waiting(&client).await;
        let mut direct = redis::Client::open(server.url()).unwrap().get_connection().unwrap();
        let mut reads = || -> u64 {
            let info: String = redis::cmd("INFO").arg("stats").query(&mut direct).unwrap();
            let line = info.lines().find_map(|line| line.strip_prefix("total_reads_processed:")).unwrap();
            line.trim().parse().unwrap()
        };
        let before = reads();
        let calls = (0..100).map(|_| {
            let client = client.clone();
            async move { waiting(&client).await }
        });
        all(calls).await;
        let came = reads() - before;
        assert!(came < 20, "100 calls came in {came} pieces");
    });
}

#[test]
fn large_replies_come_whole() {
    let server = Server::start();
    run(async {
        let client = client(&server);
        let data = format!("\"{}\"", "x".repeat(1_000_000));
        for jid in ["a", "b", "c"] {
            client.send(QueuePut::new([Put::new("k").queue("q").jid(jid).data(&data)])).await.unwrap();
        }
        let (a, all_three) = (r#"{"jids":["a"]}"#, r#"{"jids":["c","b","a"]}"#);
        let (one, three) = (client.call("job_get_many", a), client.call("job_get_many", all_three));
        assert!(one.await.unwrap().len() > 1_000_000);
        assert_eq!(three.await.unwrap().matches(&data).count(), 3);
    });
}

#[test]
fn what_is_cut_off_happens_once() {
    for cut in [Cut::Answer, Cut::Call] {
        let server = Server::start();
        let proxy = Proxy::before(&server.socket(), server.folder.join("proxy.sock"));
        threaded(async {
            let url = format!("unix://{}", proxy.socket.display());
            let client = AsyncClient::open(Some(&url), "{}").unwrap();
            waiting(&client).await;
            for round in 1..=5 {
                proxy.cut_at("mh1_queue_put", cut);
                let puts = (0..100).map(|_| {
                    let client = client.clone();
                    async move { client.send(one()).await.unwrap().remove(0).outcome }
                });
                assert!(all(puts).await.iter().all(|outcome| outcome == "put"));
                assert!(proxy.has_cut());
                assert_eq!(waiting(&client).await, round * 100);
            }
        });
    }
}

#[test]
fn a_dropped_call_leaves_the_others_alone() {
    let server = Server::start();
    run(async {
        let client = client(&server);
        waiting(&client).await;
        for _ in 0..200 {
            let dropped = client.clone();
            let task = tokio::spawn(async move { drop(dropped.send(one()).await) });
            let put = client.send(one());
            task.abort();
            put.await.unwrap();
        }
        let mut put = pin!(client.send(one()));
        // Polled once, so that it is on its way, and then never again.
        std::future::poll_fn(|context| {
            let _ = put.as_mut().poll(context);
            std::task::Poll::Ready(())
        })
        .await;
        let count = waiting(&client).await;
        assert!((200..=401).contains(&count), "{count}");
    });
}

#[test]
fn a_server_that_comes_back_is_found_again() {
    let mut server = Server::start_with(&["--appendonly", "yes", "--appendfsync", "always"]);
    threaded(async {
        let client = client(&server);
        client.send(one()).await.unwrap();
        server.kill();
        let putting = client.clone();
        let puts = (0..50).map(move |_| {
            let client = putting.clone();
            async move { client.send(one()).await.map(drop) }
        });
        let puts = tokio::spawn(all(puts));
        server.start_again();
        for put in puts.await.unwrap() {
            put.unwrap();
        }
        assert_eq!(waiting(&client).await, 51);
    });
}

#[test]
fn a_silent_server_makes_the_outcome_unknown_and_a_read_time_out() {
    let server = Server::start();
    run(async {
        let client = client_with(&server, r#"{"timeout_ms":1000}"#);
        client.send(one()).await.unwrap();
        server.signal(libc::SIGSTOP);
        let begun = Instant::now();
        let error = client.send(one()).await.unwrap_err();
        assert_eq!(error.code, Code::OutcomeUnknown, "{error}");
        assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
        server.signal(libc::SIGCONT);
        waiting(&client).await;
        server.signal(libc::SIGSTOP);
        assert_eq!(client.call("queue_counts", r#"{"queue":"q"}"#).await.unwrap_err().code, Code::Timeout);
        server.signal(libc::SIGCONT);
        client.send(one()).await.unwrap();
    });
}

#[test]
fn a_server_never_reached_is_unavailable_at_once() {
    let begun = Instant::now();
    let client = AsyncClient::open(Some("unix:///nowhere/redis.sock"), "{}").unwrap();
    assert_eq!(run(client.send(one())).unwrap_err().code, Code::Unavailable);
    assert!(begun.elapsed() < Duration::from_secs(2));
}

#[test]
fn an_engine_lost_by_the_server_is_loaded_again() {
    let server = Server::start();
    run(async {
        let client = client(&server);
        client.send(one()).await.unwrap();
        let mut direct = redis::Client::open(server.url()).unwrap().get_connection().unwrap();
        redis::cmd("FUNCTION").arg("FLUSH").exec(&mut direct).unwrap();
        let puts = (0..20).map(|_| {
            let client = client.clone();
            async move { client.send(one()).await.map(drop) }
        });
        for put in all(puts).await {
            put.unwrap();
        }
        assert_eq!(waiting(&client).await, 21);
    });
}

#[test]
fn wrong_passwords_are_denied() {
    let server = Server::start_with(&["--requirepass", "secret"]);
    let open = |query: &str| AsyncClient::open(Some(&format!("{}{query}", server.url())), "{}").unwrap();
    run(async {
        assert_eq!(open("?password=wrong").send(one()).await.unwrap_err().code, Code::Denied);
        open("?password=secret&db=3").send(one()).await.unwrap();
    });
}

#[test]
fn each_runtime_gets_its_connection() {
    let server = Server::start();
    let client = client(&server);
    for count in 1..=3 {
        run(async {
            client.send(one()).await.unwrap();
            assert_eq!(waiting(&client).await, count);
        });
    }
}

#[test]
fn a_closed_client_says_so_and_ends_its_waiting() {
    let mut server = Server::start();
    threaded(async {
        let client = client(&server);
        client.send(one()).await.unwrap();
        server.kill();
        let put = tokio::spawn({
            let client = client.clone();
            async move { client.send(one()).await.unwrap_err() }
        });
        tokio::task::yield_now().await;
        client.close();
        let error = put.await.unwrap();
        let codes = [Code::Closed, Code::Unavailable, Code::OutcomeUnknown];
        assert!(codes.contains(&error.code), "{error}");
        assert_eq!(client.send(one()).await.unwrap_err().code, Code::Closed);
        assert_eq!(client.blocking().queue("q").counts().unwrap_err().code, Code::Closed);
    });
}

#[test]
fn a_child_is_told_to_open_its_own() {
    let server = Server::start();
    let client = client(&server);
    run(client.send(one())).unwrap();
    let child = {
        let client = client.clone();
        forked(std::panic::AssertUnwindSafe(move || {
            assert_eq!(run(client.send(one())).unwrap_err().code, Code::Closed);
            client.blocking().queue("q").put(Put::new("k")).unwrap();
        }))
    };
    assert!(succeeded(child));
    assert_eq!(run(waiting(&client)), 2);
}

#[test]
fn a_private_server_is_started_and_stopped() {
    let folder = support::Folder::new();
    let url = format!("embedded:{}", folder.0.display());
    run(async {
        let client = AsyncClient::of(Client::open(Some(&url), "{}").unwrap());
        client.send(one()).await.unwrap();
        assert_eq!(waiting(&client).await, 1);
        client.close();
    });
}

#[test]
fn a_page_comes_whole_by_as_many_calls_as_it_takes() {
    let server = Server::start();
    let data = serde_json::Value::from("x".repeat(600_000)).to_string();
    for _ in 0..5 {
        let job = manyhands::RecurringPut::new("k", 3_600_000).offset_ms(3_600_000).data(data.as_str());
        server.client().queue("q").put_recurring(job).unwrap();
    }
    let page = run(async { client(&server).call("recurring_list", r#"{"queue":"q","offset":1}"#).await.unwrap() });
    assert_eq!(member(&page, "/jobs").as_array().unwrap().len(), 4);
}
