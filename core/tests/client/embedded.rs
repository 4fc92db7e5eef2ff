//! `embedded:` servers and their users, each user a process of its own.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use manyhands::Client;

use crate::support::{Folder, member};

/// A user in another process: this test binary again, performing what it reads.
struct Actor {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    said: PathBuf,
}

impl Actor {
    fn start(folder: &Folder, name: &str, variables: &[(&str, &str)]) -> Actor {
        let said = folder.join(name);
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["embedded::actor", "--exact", "--ignored", "--nocapture"]);
        command.env_remove("MANYHANDS_URL").env_remove("REDIS_URL").envs(variables.iter().copied());
        command.current_dir(&folder.0).stderr(fs::File::create(&said).unwrap());
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (input, output) = (child.stdin.take(), BufReader::new(child.stdout.take().unwrap()));
        Actor { child, input, output, said }
    }

    /// Sends a line and waits for the answer.
    fn ask(&mut self, line: &str) -> String {
        self.tell(line);
        self.hear()
    }

    fn tell(&mut self, line: &str) {
        writeln!(self.input.as_mut().unwrap(), "{line}").unwrap();
    }

    fn hear(&mut self) -> String {
        let mut line = String::new();
        loop {
            line.clear();
            assert_ne!(self.output.read_line(&mut line).unwrap(), 0, "the actor ended");
            if let Some((_, answer)) = line.split_once("@ ") {
                return answer.trim_end().to_owned();
            }
        }
    }

    fn put(&mut self) {
        let reply = self.ask(r#"call queue_put {"jobs":[{"queue":"q","kind":"k"}]}"#);
        assert!(reply.contains("put"), "{reply}");
    }

    fn waiting(&mut self) -> serde_json::Value {
        member(&self.ask(r#"call queue_counts {"queue":"q"}"#), "/waiting")
    }

    /// Lets it end as a program does that drops nothing.
    fn end(mut self) -> String {
        drop(self.input.take());
        assert!(self.child.wait().unwrap().success());
        fs::read_to_string(&self.said).unwrap()
    }

    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

#[test]
#[ignore = "an actor of the other tests"]
fn actor() {
    let mut client: Option<Client> = None;
    let shown = |result: manyhands::Result<String>| match result {
        Ok(text) => println!("@ {text}"),
        Err(error) => println!("@ {}", error.to_json()),
    };
    for line in std::io::stdin().lines() {
        let line = line.unwrap();
        let (verb, rest) = line.split_once(' ').unwrap_or((&line, ""));
        match verb {
            "open" => {
                let opened = Client::open((!rest.is_empty()).then_some(rest), "{}");
                shown(opened.as_ref().map(|client| client.url().to_owned()).map_err(Clone::clone));
                client = opened.ok();
            }
            "call" => {
                let (operation, args) = rest.split_once(' ').unwrap();
                shown(client.as_ref().unwrap().call(operation, args));
            }
            "storm" => {
                let client = client.clone().unwrap();
                std::thread::spawn(move || {
                    loop {
                        drop(client.call("queue_counts", r#"{"queue":"q"}"#));
                    }
                });
                println!("@ begun");
            }
            other => panic!("{other}"),
        }
    }
    // Like a host's global: never dropped, so that leaving is up to the exit hook.
    std::mem::forget(client);
}

fn url(folder: &Folder) -> String {
    format!("embedded:{}", folder.join("data").display())
}

fn socket(dir: &Path) -> PathBuf {
    fs::read_to_string(dir.join("socket")).unwrap().into()
}

fn runs(folder: &Folder) -> bool {
    UnixStream::connect(socket(&folder.join("data"))).is_ok()
}

fn direct(folder: &Folder) -> redis::Connection {
    let path = socket(&folder.join("data"));
    redis::Client::open(format!("unix://{}", path.display())).unwrap().get_connection().unwrap()
}

fn server_pid(folder: &Folder) -> libc::pid_t {
    let info: String = redis::cmd("INFO").arg("server").query(&mut direct(folder)).unwrap();
    let line = info.lines().find_map(|line| line.strip_prefix("process_id:")).unwrap();
    line.trim().parse().unwrap()
}

#[test]
fn a_server_that_cannot_start_is_not_said_to_have_started() {
    let folder = Folder::new();
    fs::create_dir(folder.join("data")).unwrap();
    fs::write(folder.join("data").join("appendonlydir"), "no folder").unwrap();
    let mut actor = Actor::start(&folder, "actor", &[]);
    actor.ask(&format!("open {}", url(&folder)));
    let reply = actor.ask(r#"call queue_counts {"queue":"q"}"#);
    assert!(reply.contains("did not start: "), "{reply}");
    assert_eq!(actor.end(), "");
}

#[test]
fn starts_with_the_first_user_and_stops_with_the_last() {
    let folder = Folder::new();
    let mut first = Actor::start(&folder, "first", &[]);
    let mut second = Actor::start(&folder, "second", &[]);
    first.ask(&format!("open {}", url(&folder)));
    second.ask(&format!("open {}", url(&folder)));
    assert!(!folder.join("data").exists(), "opening is lazy");
    first.put();
    assert_eq!(second.waiting(), 1);
    let said = first.end();
    assert!(said.contains(&format!("manyhands: started redis-server in {}", folder.join("data").display())), "{said}");
    assert_eq!(second.waiting(), 1);
    assert_eq!(second.end(), "");
    assert!(!runs(&folder));

    let mut third = Actor::start(&folder, "third", &[]);
    third.ask(&format!("open {}", url(&folder)));
    assert_eq!(third.waiting(), 1, "what was put is still there");
    third.end();
    assert!(!runs(&folder));
}

#[test]
fn many_users_at_once_start_one_server() {
    let folder = Folder::new();
    let mut actors: Vec<Actor> = (0..6).map(|index| Actor::start(&folder, &index.to_string(), &[])).collect();
    for actor in &mut actors {
        actor.tell(&format!("open {}", url(&folder)));
        actor.tell(r#"call queue_put {"jobs":[{"queue":"q","kind":"k"}]}"#);
    }
    for actor in &mut actors {
        actor.hear();
        assert!(actor.hear().contains("put"));
    }
    assert_eq!(actors[0].waiting(), 6);
    let said: String = actors.into_iter().map(Actor::end).collect();
    assert_eq!(said.matches("started").count(), 1, "{said}");
    assert!(!runs(&folder));
}

#[test]
fn a_killed_user_leaves_the_server_for_the_next() {
    let folder = Folder::new();
    let mut first = Actor::start(&folder, "first", &[]);
    first.ask(&format!("open {}", url(&folder)));
    first.put();
    first.kill();
    assert!(runs(&folder));
    let mut second = Actor::start(&folder, "second", &[]);
    second.ask(&format!("open {}", url(&folder)));
    assert_eq!(second.waiting(), 1);
    assert_eq!(second.end(), "", "it found the server running");
    assert!(!runs(&folder));
}

#[test]
fn a_killed_server_is_started_again_with_everything_in_it() {
    let folder = Folder::new();
    let client = Client::open(Some(&url(&folder)), "{}").unwrap();
    let queue = client.queue("q");
    for _ in 0..3 {
        queue.put(manyhands::Put::new("k")).unwrap();
        // SAFETY: kills the server this test started.
        unsafe { libc::kill(server_pid(&folder), libc::SIGKILL) };
    }
    assert_eq!(queue.counts().unwrap().waiting, 3);
    client.close();
    assert!(!runs(&folder));
}

#[test]
fn a_process_that_ends_in_the_middle_of_calls_leaves_for_good() {
    let folder = Folder::new();
    let mut actor = Actor::start(&folder, "said", &[]);
    actor.ask(&format!("open {}", url(&folder)));
    actor.put();
    actor.ask("storm");
    actor.put();
    let said = actor.end();
    assert_eq!(said.matches("started").count(), 1, "{said}");
    assert!(!runs(&folder));
}

#[test]
fn keep_leaves_it_running() {
    let folder = Folder::new();
    let client = Client::open(Some(&format!("{}?keep=1", url(&folder))), "{}").unwrap();
    client.queue("q").counts().unwrap();
    drop(client);
    assert!(runs(&folder));
    let other = Client::open(Some(&url(&folder)), "{}").unwrap();
    other.queue("q").counts().unwrap();
    drop(other);
    assert!(!runs(&folder));
}

#[test]
fn a_long_folder_gets_its_socket_elsewhere() {
    let folder = Folder::new();
    let runtime = folder.join("run");
    fs::create_dir(&runtime).unwrap();
    let deep = folder.join(&"long".repeat(30));
    let mut actor = Actor::start(&folder, "said", &[("XDG_RUNTIME_DIR", runtime.to_str().unwrap())]);
    actor.ask(&format!("open embedded:{}", deep.display()));
    actor.put();
    assert!(socket(&deep).starts_with(&runtime), "{:?}", socket(&deep));
    actor.end();
    assert!(UnixStream::connect(socket(&deep)).is_err());
}

#[test]
fn without_a_server_program_it_says_what_to_install() {
    let folder = Folder::new();
    let mut actor = Actor::start(&folder, "said", &[("PATH", "")]);
    actor.ask(&format!("open {}", url(&folder)));
    let error = actor.ask(r#"call queue_counts {"queue":"q"}"#);
    assert_eq!(member(&error, "/name"), "NO_SERVER_PROGRAM");
    assert!(error.contains("redis-server") && error.contains("MANYHANDS_URL"), "{error}");
    actor.end();
}

#[test]
fn the_default_is_found_upwards_and_refused_in_production() {
    let folder = Folder::new();
    fs::create_dir_all(folder.join(".manyhands")).unwrap();
    fs::create_dir_all(folder.join("a/b")).unwrap();
    let below = Folder(folder.join("a/b"));
    let mut actor = Actor::start(&below, "said", &[]);
    assert_eq!(actor.ask("open"), format!("embedded:{}", folder.join(".manyhands").display()));
    actor.end();
    let mut actor = Actor::start(&below, "said", &[("NODE_ENV", "production")]);
    let error = actor.ask("open");
    assert!(error.contains("NODE_ENV") && error.contains("MANYHANDS_URL"), "{error}");
    actor.end();
}

#[test]
fn the_server_inherits_nothing_and_belongs_to_nobody() {
    let folder = Folder::new();
    let (inherited, _other) = UnixStream::pair().unwrap();
    let descriptor = std::os::fd::AsRawFd::as_raw_fd(&inherited);
    // SAFETY: clears close-on-exec of a descriptor that is open.
    unsafe { libc::fcntl(descriptor, libc::F_SETFD, 0) };
    let client = Client::open(Some(&url(&folder)), "{}").unwrap();
    client.queue("q").counts().unwrap();
    let pid = server_pid(&folder);
    let ours = fs::read_link(format!("/proc/self/fd/{descriptor}")).unwrap();
    for entry in fs::read_dir(format!("/proc/{pid}/fd")).unwrap() {
        assert_ne!(fs::read_link(entry.unwrap().path()).unwrap_or_default(), ours);
    }
    // SAFETY: asks for the sessions of two living processes.
    unsafe { assert_ne!(libc::getsid(pid), libc::getsid(0)) };
    let mut status = 0;
    // SAFETY: asks whether the server is a child of ours, which it must not be.
    assert_eq!(unsafe { libc::waitpid(pid, &raw mut status, libc::WNOHANG) }, -1);
}

#[test]
fn a_forked_child_that_uses_the_client_is_a_user_of_its_own() {
    let folder = Folder::new();
    let client = Client::open(Some(&url(&folder)), "{}").unwrap();
    client.queue("q").put(manyhands::Put::new("k")).unwrap();
    let (mut here, mut there) = UnixStream::pair().unwrap();
    let child = crate::support::fork::forked(std::panic::AssertUnwindSafe(|| {
        assert_eq!(client.queue("q").counts().unwrap().waiting, 1);
        there.write_all(b"1").unwrap();
        std::io::Read::read_exact(&mut there, &mut [0]).unwrap();
        assert_eq!(client.queue("q").counts().unwrap().waiting, 1);
        client.close();
    }));
    std::io::Read::read_exact(&mut here, &mut [0]).unwrap();
    client.close();
    assert!(runs(&folder), "the child stays");
    here.write_all(b"1").unwrap();
    assert!(crate::support::fork::succeeded(child));
    assert!(!runs(&folder), "the child was the last");
}
