//! Who is compared, at which version, and how its program is called.

/// Where a program's packages come from.
#[derive(Debug)]
pub enum Source {
    /// Built here, by bench/Makefile.
    Ours,
    Npm(&'static [&'static str]),
    Pip(&'static [&'static str]),
    /// Unpacked beside the program, not installed. Debian keeps one version of each in a release.
    Debian(&'static [&'static str]),
    /// The versions stand in its go.mod.
    Go,
    /// The version stands in its Cargo.toml.
    Cargo,
}

/// A job system in one language.
pub struct Peer {
    pub name: &'static str,
    /// Its files in bench/peers.
    pub folder: &'static str,
    pub source: Source,
    /// In its own folder of target/bench/peers; `{root}` is the repository.
    pub command: &'static [&'static str],
    /// There `{dir}` is that folder too, and what RbConfig of ruby has under `{vendordir}`, `{vendorarchdir}` and `{archlibdir}`.
    pub environment: &'static [(&'static str, &'static str)],
    /// So many that a drain takes a few seconds.
    pub jobs: usize,
    /// How many seconds to wait for a job whose worker was killed.
    pub patience: u64,
    /// What becomes of such a job, when it is not to come back; by the documentation that bench/peers/README.md names.
    pub loses: &'static str,
    /// A server of its own is between its programs and Redis: the mode serve starts it.
    pub server: bool,
    /// What else a reader of its figures has to know.
    pub note: &'static str,
    pub measured: Measured,
}

impl Peer {
    /// The last word of its name.
    pub fn language(&self) -> &'static str {
        self.name.rsplit(' ').next().unwrap_or_default().trim_matches(['(', ')'])
    }
}

/// By what.
#[derive(PartialEq)]
pub enum Measured {
    /// `make bench` too.
    Always,
    /// `make bench` too when it is the quickest to drain of its language.
    IfQuickest,
    /// `make bench-all` alone.
    WithAll,
}

const PYTHON: &[&str] = &["venv/bin/python", "main.py"];
const NODE: &[&str] = &["node", "main.mjs"];
const RUBY: &[&str] = &["ruby", "main.rb"];

const fn ours(name: &'static str, command: &'static [&'static str]) -> Peer {
    Peer {
        name,
        folder: "manyhands",
        source: Source::Ours,
        command,
        environment: &[],
        jobs: 60_000,
        patience: 20,
        loses: "",
        server: false,
        note: "",
        measured: Measured::Always,
    }
}

const fn peer(
    name: &'static str,
    folder: &'static str,
    source: Source,
    command: &'static [&'static str],
    jobs: usize,
) -> Peer {
    Peer { name, folder, source, command, jobs, measured: Measured::WithAll, ..ours("", &[]) }
}

const fn python(name: &'static str, folder: &'static str, packages: &'static [&'static str], jobs: usize) -> Peer {
    Peer { measured: Measured::IfQuickest, ..peer(name, folder, Source::Pip(packages), PYTHON, jobs) }
}

const OFF_ITS_LIST: &str = "it is off its list before it runs";
const HUEY: &[&str] = &["huey==3.5.4", "redis==8.1.0", "hiredis==3.5.0"];
const CELERY: &[&str] = &["celery[redis]==5.7.0", "hiredis==3.5.0"];
const CELERY_NOTE: &str = "by default it acknowledges a job before it runs, and loses it when that was sent; its pool solo sends that only \
                           when the job has returned, so that here it runs again";
const RQ: &[&str] = &["rq==3.0.0", "redis==8.1.0", "hiredis==3.5.0"];

/// Ours first.
pub const PEERS: &[Peer] = &[
    ours("Manyhands Rust", &["{root}/target/release/peer"]),
    ours("Manyhands C", &["{root}/target/bench/peer"]),
    ours("Manyhands Python", &["{root}/target/venv/bin/python", "main.py"]),
    ours("Manyhands Node", NODE),
    Peer { environment: &[("GEM_HOME", "{root}/target/ruby/gem-home")], ..ours("Manyhands Ruby", RUBY) },
    Peer {
        measured: Measured::Always,
        ..peer("BullMQ (Node)", "bullmq", Source::Npm(&["bullmq@6.7.0", "ioredis@5.11.1"]), NODE, 25_000)
    },
    Peer {
        measured: Measured::Always,
        loses: OFF_ITS_LIST,
        environment: &[
            ("GEM_PATH", "{dir}/usr/share/rubygems-integration/all"),
            ("RUBYLIB", "{dir}{vendordir}:{dir}{vendorarchdir}"),
            ("LD_LIBRARY_PATH", "{dir}{archlibdir}"),
        ],
        ..peer(
            "Sidekiq (Ruby)",
            "sidekiq",
            Source::Debian(&[
                "ruby-sidekiq",
                "ruby-redis",
                "ruby-rack",
                "ruby-connection-pool",
                "ruby-hiredis",
                "libhiredis0.14",
            ]),
            RUBY,
            15_000,
        )
    },
    Peer { loses: OFF_ITS_LIST, ..python("huey (Python)", "huey", HUEY, 10_000) },
    Peer {
        environment: &[("WORKERS", "8")],
        loses: OFF_ITS_LIST,
        ..python("huey 8 threads (Python)", "huey", HUEY, 10_000)
    },
    Peer {
        environment: &[("dramatiq_queue_prefetch", "1000")],
        ..python("dramatiq (Python)", "dramatiq", &["dramatiq==2.2.1", "redis==8.1.0", "hiredis==3.5.0"], 6_000)
    },
    python("arq (Python)", "arq", &["arq==0.28.0"], 5_000),
    python(
        "taskiq (Python)",
        "taskiq",
        &["taskiq==0.13.0", "taskiq-redis==1.2.4", "hiredis==3.5.0", "uvloop==0.23.0"],
        5_000,
    ),
    Peer { note: CELERY_NOTE, ..python("Celery (Python)", "celery", CELERY, 3_000) },
    Peer {
        environment: &[("ACKS_LATE", "1")],
        measured: Measured::WithAll,
        ..python("Celery acks_late (Python)", "celery", CELERY, 3_000)
    },
    Peer {
        patience: 100,
        loses: "it is given up as failed, and kept as such",
        ..python("RQ (Python)", "rq", RQ, 2_000)
    },
    Peer {
        environment: &[("RETRY", "1")],
        patience: 100,
        measured: Measured::WithAll,
        ..python("RQ Retry (Python)", "rq", RQ, 2_000)
    },
    peer("bee-queue (Node)", "bee-queue", Source::Npm(&["bee-queue@2.0.0"]), NODE, 25_000),
    Peer { patience: 160, ..peer("asynq (Go)", "asynq", Source::Go, &["./main"], 30_000) },
    Peer {
        patience: 200,
        server: true,
        note: "its own server, whose CPU is not counted, is between its worker and Redis; its programs speak to that over TCP, where \
               others have a unix socket",
        ..peer("Faktory (Go)", "faktory", Source::Go, &["./main"], 30_000)
    },
    Peer {
        loses: OFF_ITS_LIST,
        ..peer("rusty-sidekiq (Rust)", "rusty-sidekiq", Source::Cargo, &["target/release/peer"], 30_000)
    },
    // Of more than 8,000 that are due it can fetch none: its script hands them to one command.
    Peer {
        measured: Measured::Always,
        ..peer("apalis (Rust)", "apalis", Source::Cargo, &["target/release/peer"], 5_000)
    },
];
