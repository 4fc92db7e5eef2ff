//! docs/protocol.md says what the engine's sources say.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

fn path(below: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(below)
}

fn read(below: &str) -> String {
    fs::read_to_string(path(below)).unwrap_or_else(|error| panic!("{below}: {error}"))
}

/// What stands between two marks of the page.
fn part<'a>(page: &'a str, name: &str) -> &'a str {
    let (begin, end) = (format!("<!-- {name} -->\n"), format!("<!-- {name} end -->"));
    let from = page.find(&begin).expect("the part begins") + begin.len();
    let to = page.find(&end).expect("the part ends");
    &page[from..to]
}

/// An operation's part: its name, what it does to memory, and its header.
fn section(name: &str, lua: &str) -> String {
    let header =
        lua.lines().map_while(|line| line.strip_prefix("--")).map(|line| line.strip_prefix(' ').unwrap_or(line));
    let header = header.collect::<Vec<_>>().join("\n");
    let told = header.strip_prefix(&format!("{name}: ")).unwrap_or_else(|| panic!("{name}: the header names another"));
    let (what, contract) = told.split_once("\n\n").unwrap_or_else(|| panic!("{name}: no empty line after its promise"));
    let (what, contract) = match contract.split_once("\nargs") {
        Some((more, args)) if !contract.starts_with("args") => (format!("{what}\n\n{more}"), format!("args{args}")),
        _ => (what.to_owned(), contract.to_owned()),
    };
    for word in ["args", "reply", "errors", "keys"] {
        assert!(contract.lines().any(|line| line.starts_with(word)), "{name}: the header does not say its {word}");
    }
    let head = format!("operation('{name}', '");
    let kind = &lua[lua.find(&head).expect("it is registered") + head.len()..];
    let kind = match &kind[..kind.find('\'').expect("a kind")] {
        "read" => "Reads",
        "write" => "Writes",
        "grow" => "Grows",
        other => panic!("{name}: kind {other}"),
    };
    let mut first = what.trim().chars();
    let what = first.next().map_or_else(String::new, |letter| letter.to_uppercase().chain(first).collect());
    format!("### {name}\n\n*{kind}.* {what}\n\n```\n{}\n```\n", contract.trim_end())
}

fn operations() -> String {
    let mut sections = String::new();
    for operation in manyhands::ops::OPERATIONS {
        let lua = read(&format!("src/engine/ops/{}.lua", operation.name));
        writeln!(sections, "{}", section(operation.name, &lua)).unwrap();
    }
    sections.trim_end().to_owned() + "\n"
}

#[test]
fn the_operations_are_those_of_the_headers() {
    let page = read("../docs/protocol.md");
    let (old, new) = (part(&page, "operations"), operations());
    if std::env::var_os("UPDATE_PROTOCOL").is_some() {
        let at =
            page.find(old).filter(|_| !old.is_empty()).unwrap_or_else(|| page.find("<!-- operations end -->").unwrap());
        let page = format!("{}{new}{}", &page[..at], &page[at + old.len()..]);
        fs::write(path("../docs/protocol.md"), page).unwrap();
        return;
    }
    let stale = old.lines().zip(new.lines()).find(|(old, new)| old != new);
    assert!(
        old == new,
        "docs/protocol.md is stale at {stale:?}: UPDATE_PROTOCOL=1 cargo test -p manyhands --test protocol"
    );
}

/// The keys that lib/keys.lua and the prelude build, as patterns: `{ns}:job:<>`.
fn built_keys() -> Vec<String> {
    let lines = read("src/engine/lib/keys.lua");
    let lines = lines.lines().filter_map(|line| line.trim().strip_prefix("return ns .. '"));
    let patterns = lines.map(|line| {
        let (text, rest) = line.split_once('\'').expect("a quoted text");
        let parts =
            rest.split(" .. ").skip(1).map(|part| if part.starts_with('\'') { part.trim_matches('\'') } else { "<>" });
        format!("{{ns}}:{text}{}", parts.collect::<String>())
    });
    patterns.chain(["{ns}:meta".to_owned(), "{ns}:call:<>".to_owned()]).collect()
}

#[test]
fn every_key_is_on_the_page() {
    let page = read("../docs/protocol.md");
    let mut told: Vec<String> = part(&page, "keys")
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split('`').next())
        .map(|key| {
            let words =
                key.split('<').map(|piece| piece.split_once('>').map_or(piece.to_owned(), |(_, rest)| rest.to_owned()));
            words.collect::<Vec<_>>().join("<>")
        })
        .collect();
    let mut built = built_keys();
    told.sort();
    built.sort();
    assert_eq!(told, built);
}

#[test]
fn the_record_is_that_of_the_prelude() {
    let (page, prelude) = (read("../docs/protocol.md"), read("src/engine/prelude.lua"));
    let rare = prelude
        .lines()
        .skip_while(|line| !line.starts_with("local READY_AT"))
        .take_while(|line| !line.contains("DEFAULT"));
    let fields: Vec<(String, String)> = rare
        .flat_map(|line| {
            let declaration = line.split(" -- ").next().unwrap().strip_prefix("local ").expect("a declaration");
            let (names, values) = declaration.split_once(" = ").expect("values");
            let own = |text: &str| text.split(", ").map(str::to_owned).collect::<Vec<_>>();
            own(values).into_iter().zip(own(names)).collect::<Vec<_>>()
        })
        .collect();
    let told: Vec<(String, String)> = part(&page, "rare")
        .lines()
        .filter_map(|line| line.strip_prefix("| ")?.split(" |").next()?.split_once(' '))
        .filter(|(number, _)| number.bytes().all(|byte| byte.is_ascii_digit()))
        .map(|(number, name)| (number.to_owned(), name.to_owned()))
        .collect();
    assert_eq!(told, fields);
    let record = read("src/engine/lib/record.lua");
    for fact in [
        "'<BBs', '<BBddddss', '<sss'",
        "INLINE_BYTES = 512",
        "HAS_RUN, HAS_RARE, HAS_PRIORITY, HAS_SHARED_LEASE = 8, 16, 32, 64",
    ] {
        assert!(
            record.contains(fact) || prelude.contains(fact),
            "the record's bytes have changed: {fact}; so must docs/protocol.md"
        );
    }
    let flags = "HAS_DATA, HAS_RESULT, HAS_FAILURE, HAS_HISTORY, PUT_IN_HISTORY, RUN_IN_HISTORY, END_IN_HISTORY = 1, 2, 4, 8, 16, 32, 64";
    assert!(prelude.contains(flags), "the flags have changed: so must docs/protocol.md");
}

#[test]
fn every_code_of_the_engine_is_on_the_page() {
    let page = read("../docs/protocol.md");
    let codes = page.split("| code | means |").nth(1).unwrap().split("\n\n").next().unwrap();
    let mut sources = read("src/engine/prelude.lua");
    for folder in ["src/engine/lib", "src/engine/ops"] {
        for file in fs::read_dir(path(folder)).unwrap() {
            sources += &fs::read_to_string(file.unwrap().path()).unwrap();
        }
    }
    for code in manyhands::Code::ALL {
        if sources.contains(&format!("fail('{}'", code.name())) {
            assert!(codes.contains(code.name()), "{}", code.name());
        }
    }
}
