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
    pub environment: &'static [(&'static str, &'static str)],
    /// So many that a drain takes a few seconds.
    pub jobs: usize,
    /// How many seconds to wait for a job whose worker was killed.
    pub patience: u64,
    /// Measured by `make bench`, not by `make bench-all` alone.
    pub always: bool,
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
        jobs: 100_000,
        patience: 20,
        always: true,
    }
}

const fn peer(
    name: &'static str,
    folder: &'static str,
    source: Source,
    command: &'static [&'static str],
    jobs: usize,
) -> Peer {
    Peer { name, folder, source, command, environment: &[], jobs, patience: 20, always: false }
}

/// Ours first.
pub const PEERS: &[Peer] = &[
    ours("Manyhands Rust", &["{root}/target/release/peer"]),
    ours("Manyhands C", &["{root}/target/bench/peer"]),
    ours("Manyhands Python", &["{root}/target/venv/bin/python", "main.py"]),
    ours("Manyhands Node", NODE),
    Peer { environment: &[("GEM_HOME", "{root}/target/ruby/gem-home")], ..ours("Manyhands Ruby", RUBY) },
    Peer {
        always: true,
        ..peer("BullMQ (Node)", "bullmq", Source::Npm(&["bullmq@6.7.0", "ioredis@5.11.1"]), NODE, 25_000)
    },
    Peer {
        always: true,
        environment: &[
            ("GEM_PATH", "{dir}/usr/share/rubygems-integration/all"),
            ("RUBYLIB", "{dir}/usr/lib/ruby/vendor_ruby:{dir}/usr/lib/x86_64-linux-gnu/ruby/vendor_ruby/3.1.0"),
            ("LD_LIBRARY_PATH", "{dir}/usr/lib/x86_64-linux-gnu"),
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
    Peer {
        always: true,
        ..peer("huey (Python)", "huey", Source::Pip(&["huey==3.5.4", "redis==8.1.0", "hiredis==3.5.0"]), PYTHON, 10_000)
    },
    peer(
        "dramatiq (Python)",
        "dramatiq",
        Source::Pip(&["dramatiq==2.2.1", "redis==8.1.0", "hiredis==3.5.0"]),
        PYTHON,
        6_000,
    ),
    peer("bee-queue (Node)", "bee-queue", Source::Npm(&["bee-queue@2.0.0"]), NODE, 25_000),
    peer("RQ (Python)", "rq", Source::Pip(&["rq==3.0.0", "redis==8.1.0", "hiredis==3.5.0"]), PYTHON, 2_000),
    peer("Celery (Python)", "celery", Source::Pip(&["celery[redis]==5.7.0", "hiredis==3.5.0"]), PYTHON, 3_000),
    peer("arq (Python)", "arq", Source::Pip(&["arq==0.28.0"]), PYTHON, 5_000),
    peer(
        "taskiq (Python)",
        "taskiq",
        Source::Pip(&["taskiq==0.13.0", "taskiq-redis==1.2.4", "hiredis==3.5.0"]),
        PYTHON,
        5_000,
    ),
    Peer { patience: 100, ..peer("asynq (Go)", "asynq", Source::Go, &["./main"], 30_000) },
    peer("rusty-sidekiq (Rust)", "rusty-sidekiq", Source::Cargo, &["target/release/peer"], 30_000),
    peer("apalis (Rust)", "apalis", Source::Cargo, &["target/release/peer"], 5_000),
];
