//! The programs that masters keep here, one per language.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

/// A program with handlers for the tests' kinds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Program {
    /// This very test's, see `worker` in `main`.
    Rust,
    /// The same handlers in `worker.c`, served as those of the example.
    C,
}

impl Program {
    pub fn command(self) -> Vec<String> {
        static IN_C: LazyLock<PathBuf> = LazyLock::new(|| c("cli/tests/work/worker.c", "work-tests"));
        let text = |path: &Path| path.to_str().unwrap().to_owned();
        match self {
            Program::Rust => {
                let own = ["--ignored", "--exact", "worker", "--nocapture"].map(str::to_owned);
                [text(&std::env::current_exe().unwrap())].into_iter().chain(own).collect()
            }
            Program::C => vec![text(&IN_C)],
        }
    }
}

/// Each of these functions is a test of each program.
macro_rules! of_each_program {
    ($($name:ident)*) => {
        mod c {
            $(#[test] fn $name() { super::$name(super::Program::C); })*
        }
        mod rust {
            $(#[test] fn $name() { super::$name(super::Program::Rust); })*
        }
    };
}
pub(crate) use of_each_program;

pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// Where cargo puts what it builds for these tests.
pub fn built() -> PathBuf {
    Path::new(env!("CARGO_BIN_EXE_manyhands")).parent().unwrap().to_owned()
}

pub fn profile() -> &'static str {
    if built().ends_with("release") { "release" } else { "dev" }
}

pub fn succeed(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Builds a worker in C, as users do: against the installed library.
pub fn c(source: &str, name: &str) -> PathBuf {
    static PREFIX: LazyLock<PathBuf> = LazyLock::new(|| {
        let prefix = Path::new(env!("CARGO_TARGET_TMPDIR")).join("c");
        let mut install = Command::new("make");
        install.args(["--silent", "-C", "ffi", "install"]).arg(format!("PROFILE={}", profile()));
        succeed(install.arg(format!("PREFIX={}", prefix.display())).current_dir(root()));
        prefix
    });
    let program = PREFIX.join(name);
    let mut compiler = Command::new("cc");
    compiler.args(["-Wall", "-Wextra", "-Werror", "-pthread", "-o"]).arg(&program);
    compiler.arg(root().join(source)).arg(root().join("examples/c/serve.c"));
    compiler.arg("-I").arg(PREFIX.join("include")).arg("-L").arg(PREFIX.join("lib")).arg("-lmanyhands");
    succeed(compiler.arg(format!("-Wl,-rpath,{}/lib", PREFIX.display())));
    program
}
