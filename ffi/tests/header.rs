//! `include/manyhands.h` says what the library does: it is made from the sources, checked in, and compared here.

use std::path::{Path, PathBuf};

/// The sources of the header, in its order. Not lib.rs: cbindgen follows its modules, and would tell all twice.
const SOURCES: [&str; 14] = [
    "src/version.rs",
    "src/guard.rs",
    "src/error.rs",
    "src/client.rs",
    "src/queue.rs",
    "src/kind.rs",
    "src/worker.rs",
    "src/strategy.rs",
    "src/news.rs",
    "src/job.rs",
    "src/outcome.rs",
    "src/events.rs",
    "src/hooks.rs",
    "src/testing.rs",
];

fn crate_path(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The version as C sees it.
fn version_macros() -> String {
    let parts = [
        ("MAJOR", env!("CARGO_PKG_VERSION_MAJOR")),
        ("MINOR", env!("CARGO_PKG_VERSION_MINOR")),
        ("PATCH", env!("CARGO_PKG_VERSION_PATCH")),
    ];
    let mut macros = String::from("\n/** The version of this header; mh_version() tells that of the library. */\n");
    macros += &format!("#define MH_VERSION \"{}\"\n", env!("CARGO_PKG_VERSION"));
    for (name, number) in parts {
        macros += &format!("#define MH_VERSION_{name} {number}\n");
    }
    macros
}

fn header() -> String {
    let config = cbindgen::Config::from_file(crate_path("cbindgen.toml")).expect("cbindgen.toml can be read");
    let builder = cbindgen::Builder::new().with_config(config).with_after_include(version_macros());
    let builder = SOURCES.iter().fold(builder, |builder, source| builder.with_src(crate_path(source)));
    let mut bytes = Vec::new();
    builder.generate().expect("cbindgen can read the sources").write(&mut bytes);
    String::from_utf8(bytes).expect("the header is UTF-8")
}

#[test]
fn the_checked_in_header_is_made_from_the_sources() {
    let path = crate_path("../include/manyhands.h");
    let made = header();
    if std::env::var_os("UPDATE_HEADER").is_some() {
        std::fs::write(&path, &made).expect("the header can be written");
    }
    let checked_in = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        made == checked_in,
        "include/manyhands.h is stale: UPDATE_HEADER=1 cargo test -p manyhands-ffi --test header"
    );
}

#[test]
fn every_source_with_a_function_for_c_is_in_the_header() {
    for entry in std::fs::read_dir(crate_path("src")).expect("src can be read") {
        let path = entry.expect("src can be read").path();
        let source = std::fs::read_to_string(&path).expect("a source can be read");
        let name = format!("src/{}", path.file_name().expect("a file has a name").to_string_lossy());
        if source.contains("no_mangle") {
            assert!(SOURCES.contains(&name.as_str()), "{name} is not among the sources of the header");
        }
    }
}

#[test]
fn every_function_has_a_comment_that_says_who_may_call_it_and_whether_it_blocks() {
    let header = header();
    for comment in header.split("/**").skip(2) {
        let (comment, rest) = comment.split_once("*/").expect("a comment ends");
        let declaration = rest.trim_start().split([';', '{']).next().unwrap_or_default().trim();
        // What is a pointer to a function of the program's own is said at its struct.
        if !declaration.contains('(') || declaration.contains("(*") {
            continue;
        }
        let lower = comment.to_lowercase();
        assert!(
            lower.contains("threads") && lower.contains("blocking"),
            "the comment of {declaration} is not complete"
        );
    }
    let declared = header.lines().filter(|line| line.contains(" mh_") || line.contains("*mh_")).count();
    assert!(declared > 30, "functions are declared");
}
