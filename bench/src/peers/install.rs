//! Brings the packages of a program into target/bench/peers, from their registry, once for each list of versions.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::list::{Peer, Source};
use crate::master::repository;

/// How many seconds a package manager or a compiler may take.
const PATIENCE: &str = "1200";

type Done<T = ()> = Result<T, Box<dyn std::error::Error>>;

/// The folder in which the program can be run.
pub fn install(peer: &Peer) -> Done<PathBuf> {
    let root = repository();
    let dir = root.join("target/bench/peers").join(peer.folder);
    std::fs::create_dir_all(&dir)?;
    let peers = root.join("bench/peers");
    for folder in [peers.as_path(), &peers.join(peer.folder)] {
        for file in std::fs::read_dir(folder)?.flatten().filter(|file| file.path().is_file()) {
            let (content, copy) = (std::fs::read(file.path())?, dir.join(file.file_name()));
            // What is as it was keeps its time, by which compilers know that they have nothing to do.
            if std::fs::read(&copy).is_ok_and(|found| found == content) {
                continue;
            }
            std::fs::write(copy, content)?;
        }
    }
    let (stamp, wanted) = (dir.join(".installed"), format!("{:?}", peer.source));
    let once = matches!(peer.source, Source::Npm(_) | Source::Pip(_) | Source::Debian(_));
    if !once || std::fs::read_to_string(&stamp).is_ok_and(|found| found == wanted) {
        every_time(&peer.source, &root, &dir)?;
        return Ok(dir);
    }
    match peer.source {
        Source::Npm(packages) => {
            std::fs::write(dir.join("package.json"), r#"{"private": true}"#)?;
            let install = ["install", "--silent", "--no-audit", "--no-fund"];
            call(&dir, "npm", install.iter().chain(packages))?;
        }
        Source::Pip(packages) => {
            call(&dir, "python3", &["-m", "venv", "--clear", "venv"])?;
            let install = ["install", "--quiet", "--disable-pip-version-check"];
            call(&dir, "venv/bin/pip", install.iter().chain(packages))?;
        }
        Source::Debian(packages) => {
            call(&dir, "apt-get", ["download", "-qq"].iter().chain(packages))?;
            for file in
                std::fs::read_dir(&dir)?.flatten().filter(|file| file.path().extension().is_some_and(|it| it == "deb"))
            {
                call(&dir, "dpkg-deb", &["-x", &file.path().to_string_lossy(), "."])?;
            }
        }
        Source::Ours | Source::Go | Source::Cargo => {}
    }
    std::fs::write(stamp, wanted)?;
    Ok(dir)
}

/// Compilers know by themselves what is built already.
fn every_time(source: &Source, root: &Path, dir: &Path) -> Done {
    let modules = dir.join("node_modules");
    match source {
        Source::Ours if !modules.is_symlink() => {
            std::os::unix::fs::symlink(root.join("target/node/fresh/node_modules"), modules)?
        }
        Source::Go => call(dir, "go", &["build", "-o", "main", "."])?,
        Source::Cargo => call(dir, "cargo", &["build", "--release", "--quiet", "--target-dir", "target"])?,
        _ => {}
    }
    Ok(())
}

fn call<'a>(dir: &Path, program: &str, arguments: impl IntoIterator<Item = &'a &'a str>) -> Done {
    let path = if program.contains('/') { dir.join(program) } else { program.into() };
    let mut command = Command::new("timeout");
    command.arg(PATIENCE).arg(path).args(arguments).current_dir(dir).stdin(Stdio::null());
    let output = command.output().map_err(|error| format!("timeout: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
    Err(format!("{program}: {}", said.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("it failed")).into())
}
