//! Brings the packages of a program into target/bench/peers, from their registry, once for each list of versions.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::list::{Peer, Source};
use super::words::telling;
use crate::Done;
use crate::master::repository;

/// How many seconds a package manager or a compiler may take.
const PATIENCE: &str = "1200";

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
            let install = ["install", "--loglevel=error", "--no-audit", "--no-fund"];
            call(&dir, "npm", install.iter().chain(packages))?;
        }
        Source::Pip(packages) => {
            call(&dir, "python3", &["-m", "venv", "--clear", "venv"])?;
            let install = ["install", "--quiet", "--disable-pip-version-check"];
            call(&dir, "venv/bin/pip", install.iter().chain(packages))?;
        }
        Source::Debian(packages) => {
            // What is left of another list is not to be unpacked, or taken for what is.
            archives(&dir)?.iter().try_for_each(std::fs::remove_file)?;
            call(&dir, "apt-get", ["download", "-qq"].iter().chain(packages))?;
            for file in archives(&dir)? {
                call(&dir, "dpkg-deb", &["-x", &file.to_string_lossy(), "."])?;
            }
        }
        Source::Ours | Source::Go | Source::Cargo => {}
    }
    std::fs::write(stamp, wanted)?;
    Ok(dir)
}

/// Debian's packages in a folder.
fn archives(dir: &Path) -> std::io::Result<Vec<PathBuf>> {
    let files = std::fs::read_dir(dir)?.flatten().map(|file| file.path());
    Ok(files.filter(|path| path.extension().is_some_and(|it| it == "deb")).collect())
}

/// Compilers know by themselves what is built already.
fn every_time(source: &Source, root: &Path, dir: &Path) -> Done {
    let modules = dir.join("node_modules");
    match source {
        Source::Ours if !modules.is_symlink() => {
            std::os::unix::fs::symlink(root.join("target/node/fresh/node_modules"), modules)?
        }
        Source::Go => go(dir)?,
        Source::Cargo => call(dir, "cargo", &["build", "--release", "--quiet", "--target-dir", "target"])?,
        _ => {}
    }
    Ok(())
}

/// A Go that is too old says so in the words of its reader of go.mod, or fetches a newer one.
fn go(dir: &Path) -> Done {
    let Err(error) = call(dir, "go", &["build", "-o", "main", "."]) else { return Ok(()) };
    let module = std::fs::read_to_string(dir.join("go.mod"))?;
    let wanted = module.lines().find_map(|line| line.strip_prefix("go ")).unwrap_or_default();
    // Beside a go.mod it might answer for another one than itself.
    let answer = Command::new("go").arg("version").current_dir("/").stdin(Stdio::null()).output();
    let answer = answer.map(|answer| String::from_utf8_lossy(&answer.stdout).into_owned()).unwrap_or_default();
    let there = answer.split_whitespace().find_map(|word| word.strip_prefix("go1."));
    let number = |text: &str| text.split('.').next()?.parse::<u32>().ok();
    if there.and_then(number) >= wanted.strip_prefix("1.").and_then(number) {
        return Err(error);
    }
    Err(format!("Go {wanted} or newer is not there: https://go.dev/dl (asynq and Faktory alone need it; {error})")
        .into())
}

fn call<'a>(dir: &Path, program: &str, arguments: impl IntoIterator<Item = &'a &'a str>) -> Done {
    let path = if program.contains('/') { dir.join(program) } else { program.into() };
    let mut command = Command::new("timeout");
    command.arg(PATIENCE).arg(path).args(arguments).current_dir(dir).stdin(Stdio::null());
    let output = command.output().map_err(|error| format!("timeout: {error}"))?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
    let why = match output.status.code() {
        Some(0) => return Ok(()),
        Some(124) => format!("no end after {PATIENCE} s"),
        Some(127) if said.starts_with("timeout: ") => "it is not there".to_owned(),
        _ => telling(&said),
    };
    Err(format!("{program}: {}", if why.is_empty() { "it failed without a word" } else { &why }).into())
}
