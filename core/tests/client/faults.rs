//! Each fault of a server or a login gives its coded error, and loses nothing.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::time::{Duration, Instant};

use manyhands::{Client, Code, Error, Put};

use crate::support::{Folder, Server, member};

fn put(client: &Client) -> Result<manyhands::Placed, Error> {
    client.queue("q").put(Put::new("k"))
}

#[test]
fn a_server_that_was_never_there_is_said_at_once() {
    let client = Client::open(Some("unix:///nowhere/redis.sock"), "{}").unwrap();
    let begun = Instant::now();
    let error = put(&client).unwrap_err();
    assert_eq!(error.code, Code::Unavailable);
    assert!(error.retryable() && error.message.contains("unix:///nowhere/redis.sock"), "{error}");
    assert!(begun.elapsed() < Duration::from_secs(10));
}

#[test]
fn a_server_that_accepts_and_stays_silent_is_given_up_in_time() {
    let folder = Folder::new();
    let socket = folder.join("silent.sock");
    let _unix = UnixListener::bind(&socket).unwrap();
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    let unix_url = format!("unix://{}?password=secret&db=2", socket.display());
    let tcp_url = format!("redis://{}/2", tcp.local_addr().unwrap());
    let ends_after = |url: &str, options: &str, limit: Duration| {
        let client = Client::open(Some(url), options).unwrap();
        let begun = Instant::now();
        let error = put(&client).unwrap_err();
        assert_eq!(error.code, Code::Unavailable, "{error}");
        assert!(begun.elapsed() >= limit && begun.elapsed() < limit * 2, "{:?} of {limit:?}", begun.elapsed());
    };
    ends_after(&unix_url, r#"{"timeout_ms":500}"#, Duration::from_millis(500));
    ends_after(&tcp_url, r#"{"timeout_ms":500}"#, Duration::from_millis(500));
}

#[test]
fn a_server_that_is_silent_at_first_is_asked_again() {
    let (server, folder) = (Server::start(), Folder::new());
    let socket = folder.join("busy.sock");
    let busy = UnixListener::bind(&socket).unwrap();
    let client = Client::open(Some(&format!("unix://{}", socket.display())), "{}").unwrap();
    std::thread::scope(|scope| {
        let placed = scope.spawn(|| put(&client));
        let _silent = busy.accept().unwrap();
        std::fs::remove_file(&socket).unwrap();
        std::os::unix::fs::symlink(server.socket(), &socket).unwrap();
        placed.join().unwrap().unwrap();
    });
    assert_eq!(client.queue("q").counts().unwrap().waiting, 1);
}

#[test]
fn a_server_that_is_not_redis_is_named_on_one_line() {
    for answer in ["HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n", "220 mail ready\r\n", "\0\n\n"] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("redis://{}", listener.local_addr().unwrap());
        let stranger = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            stream.read_exact(&mut [0; 8]).unwrap();
            stream.write_all(answer.as_bytes()).unwrap();
            // Until the client hangs up.
            drop(stream.read_to_end(&mut Vec::new()));
        });
        let error = put(&Client::open(Some(&url), "{}").unwrap()).unwrap_err();
        assert_eq!(error.code, Code::Unavailable, "{error}");
        assert!(error.message.contains("is it Redis?") && !error.message.contains('\n'), "{error}");
        stranger.join().unwrap();
    }
}

#[test]
fn a_connection_speaks_resp3_in_its_database() {
    let server = Server::start();
    let client = Client::open(Some(&format!("{}?db=3", server.url())), "{}").unwrap();
    put(&client).unwrap();
    let mut direct = redis::Client::open(server.url()).unwrap().get_connection().unwrap();
    let list: String = redis::cmd("CLIENT").arg("LIST").query(&mut direct).unwrap();
    assert!(list.lines().any(|line| line.contains(" db=3 ") && line.contains(" resp=3")), "{list}");
}

#[test]
fn wrong_and_missing_passwords_are_denied() {
    let server = Server::start_with(&["--requirepass", "secret"]);
    let open = |query: &str| Client::open(Some(&format!("{}{query}", server.url())), "{}").unwrap();
    for query in ["", "?password=wrong", "?user=nobody&password=secret"] {
        let error = put(&open(query)).unwrap_err();
        assert_eq!(error.code, Code::Denied, "{query}: {error}");
        assert!(!error.message.contains("wrong") && !error.retryable(), "{error}");
    }
    put(&open("?password=secret")).unwrap();
}

#[test]
fn a_login_without_rights_is_denied() {
    let server = Server::start();
    put(&server.client()).unwrap();
    let mut direct = redis::Client::open(server.url()).unwrap().get_connection().unwrap();
    let rights =
        ["SETUSER", "reader", "on", ">pw", "~*", "+@connection", "+fcall", "+get", "+hmget", "+time", "-client"];
    redis::cmd("ACL").arg(&rights).exec(&mut direct).unwrap();
    let client = Client::open(Some(&format!("{}?user=reader&password=pw", server.url())), "{}").unwrap();
    assert_eq!(put(&client).unwrap_err().code, Code::Denied);
}

#[test]
fn a_server_without_functions_is_too_old() {
    for command in ["FCALL", "FUNCTION"] {
        let server = Server::start_with(&["--rename-command", command, ""]);
        let error = put(&server.client()).unwrap_err();
        assert_eq!(error.code, Code::EngineOutdated, "{error}");
        assert!(error.message.contains("Redis 7.0 or Valkey 7.2"), "{error}");
    }
}

#[test]
fn an_engine_lost_by_the_server_is_loaded_again() {
    let server = Server::start();
    let client = server.client();
    put(&client).unwrap();
    let mut direct = redis::Client::open(server.url()).unwrap().get_connection().unwrap();
    redis::cmd("FUNCTION").arg("FLUSH").exec(&mut direct).unwrap();
    put(&client).unwrap();
    assert_eq!(client.queue("q").counts().unwrap().waiting, 2);
}

/// Loads an engine that says it has this minor version.
fn load_minor(server: &Server, minor: &str) {
    let body = format!(
        "#!lua name=manyhands_1\nredis.register_function{{function_name='mh1_engine_version', flags={{'no-writes'}}, \
         callback=function() redis.setresp(3) return {{map={{major=1, minor={minor}, hash='old'}}}} end}}"
    );
    let mut direct = redis::Client::open(server.url()).unwrap().get_connection().unwrap();
    redis::cmd("FUNCTION").arg("LOAD").arg("REPLACE").arg(body).exec(&mut direct).unwrap();
}

#[test]
fn an_older_engine_is_replaced_where_that_is_allowed() {
    let server = Server::start();
    let mut direct = redis::Client::open(server.url()).unwrap().get_connection().unwrap();
    redis::cmd("SET").arg("somebody").arg("else").exec(&mut direct).unwrap();
    load_minor(&server, "-1");
    let error = put(&server.client()).unwrap_err();
    assert_eq!(error.code, Code::EngineOutdated);
    assert!(error.message.contains("engine_upgrade"), "{error}");
    assert_eq!(put(&server.client_with(r#"{"engine_upgrade":"manual"}"#)).unwrap_err().code, Code::EngineOutdated);
    put(&server.client_with(r#"{"engine_upgrade":"auto"}"#)).unwrap();
    put(&server.client()).unwrap();
}

#[test]
fn an_older_engine_of_an_empty_server_is_replaced() {
    let server = Server::start();
    load_minor(&server, "-1");
    put(&server.client()).unwrap();
}

#[test]
fn a_newer_engine_is_never_replaced() {
    let server = Server::start();
    load_minor(&server, "99");
    let client = server.client_with(r#"{"engine_upgrade":"auto"}"#);
    let version = client.call("engine_version", "{}").unwrap();
    assert_eq!(member(&version, "/minor"), 99);
}

#[test]
fn a_silent_server_makes_the_outcome_unknown_and_a_read_time_out() {
    let server = Server::start();
    let client = server.client_with(r#"{"timeout_ms":300}"#);
    let reader = server.client_with(r#"{"timeout_ms":300}"#);
    put(&client).unwrap();
    reader.queue("q").counts().unwrap();
    server.signal(libc::SIGSTOP);
    let error = put(&client).unwrap_err();
    assert_eq!(error.code, Code::OutcomeUnknown, "{error}");
    assert!(!error.retryable() && error.message.contains("300 ms"));
    assert_eq!(reader.queue("q").counts().unwrap_err().code, Code::Timeout);
    server.signal(libc::SIGCONT);
    put(&client).unwrap();
}

#[test]
fn a_server_killed_between_calls_is_found_again() {
    let mut server = Server::start_with(&["--appendonly", "yes", "--appendfsync", "always"]);
    let client = server.client();
    put(&client).unwrap();
    server.kill();
    let waiting = {
        let client = client.clone();
        std::thread::spawn(move || put(&client))
    };
    server.start_again();
    waiting.join().unwrap().unwrap();
    assert_eq!(client.queue("q").counts().unwrap().waiting, 2);
}

#[test]
fn a_server_killed_in_the_middle_of_calls_keeps_what_it_acknowledged_once() {
    let mut server = Server::start_with(&["--appendonly", "yes", "--appendfsync", "always"]);
    let client = server.client();
    let (tell, told) = std::sync::mpsc::channel();
    let putting = {
        let client = client.clone();
        std::thread::spawn(move || {
            for number in 0..300 {
                put(&client).unwrap();
                if number % 100 == 50 {
                    tell.send(()).unwrap();
                }
            }
        })
    };
    for () in told {
        server.kill();
        server.start_again();
    }
    putting.join().unwrap();
    assert_eq!(client.queue("q").counts().unwrap().waiting, 300);
}

#[test]
fn memory_that_is_full_refuses_puts_but_lets_work_finish() {
    let server = Server::start();
    let client = server.client();
    client.queue("q").put(Put::new("k").jid("a")).unwrap();
    let mut direct = redis::Client::open(server.url()).unwrap().get_connection().unwrap();
    redis::cmd("CONFIG").arg(&["SET", "maxmemory", "1mb"]).exec(&mut direct).unwrap();
    let error = put(&client).unwrap_err();
    assert_eq!(error.code, Code::OutOfMemory, "{error}");
    let token = client.queue("q").reserve(1).unwrap().jobs.remove(0).token;
    let done = client.call("job_complete", &format!(r#"{{"jobs":[{{"jid":"a","token":"{token}"}}]}}"#)).unwrap();
    assert_eq!(member(&done, "/0/outcome"), "completed");
}

#[test]
fn a_replica_is_read_only() {
    let server = Server::start();
    put(&server.client()).unwrap();
    let mut direct = redis::Client::open(server.url()).unwrap().get_connection().unwrap();
    redis::cmd("REPLICAOF").arg("127.0.0.1").arg(1).exec(&mut direct).unwrap();
    assert_eq!(put(&server.client()).unwrap_err().code, Code::ReadOnly);
}

#[test]
fn a_call_is_repeated_until_its_time_is_over() {
    let mut server = Server::start();
    let client = server.client_with(r#"{"timeout_ms":1000}"#);
    put(&client).unwrap();
    server.kill();
    let begun = Instant::now();
    // It cannot have happened: the connection was gone before it could be sent.
    assert_eq!(put(&client).unwrap_err().code, Code::Unavailable);
    let took = begun.elapsed();
    assert!(took >= Duration::from_millis(900) && took < Duration::from_secs(2), "{took:?}");
}

#[test]
fn an_interrupted_call_ends_while_the_server_is_away() {
    let mut server = Server::start();
    let asked = std::sync::Arc::new(std::sync::atomic::AtomicU32::new(0));
    let client = {
        let asked = std::sync::Arc::clone(&asked);
        server.client().interruptible(move || asked.fetch_add(1, std::sync::atomic::Ordering::Relaxed) == 5)
    };
    put(&client).unwrap();
    server.kill();
    let begun = Instant::now();
    let error = put(&client).unwrap_err();
    assert_eq!(error.code, Code::Unavailable, "{error}");
    assert!(begun.elapsed() < Duration::from_secs(30));
}

#[test]
fn a_closed_client_says_so_and_ends_its_waiting() {
    let mut server = Server::start();
    let client = server.client();
    put(&client).unwrap();
    server.kill();
    let waiting = {
        let client = client.clone();
        std::thread::spawn(move || put(&client))
    };
    client.close();
    let error = waiting.join().unwrap().unwrap_err();
    assert!([Code::Closed, Code::Unavailable].contains(&error.code), "{error}");
    assert_eq!(put(&client).unwrap_err().code, Code::Closed);
}
