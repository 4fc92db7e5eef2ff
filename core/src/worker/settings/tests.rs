//! The settings as flags and variables say them.

use std::time::Duration;

use super::super::options::WorkerOptions;
use super::*;
use crate::middleware::Format;

fn read(flags: &[(&str, &str)], variables: &[(&str, &str)]) -> Result<WorkSettings> {
    let flags = flags.iter().map(|(flag, value)| ((*flag).to_owned(), (*value).to_owned())).collect();
    WorkSettings::read(&flags, |name| {
        variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
    })
}

fn refused(flags: &[(&str, &str)], variables: &[(&str, &str)]) -> String {
    read(flags, variables).unwrap_err().message
}

#[test]
fn without_a_word_everything_has_its_default() {
    let settings = read(&[], &[("WORKER_COUNT", ""), ("VERBOSE", "")]).unwrap();
    assert_eq!((settings.processes, settings.threads, settings.jobs_per_process), (1, None, 0));
    assert_eq!((settings.shutdown_ms, settings.max_memory_mb, settings.verbose), (None, 0, false));
    assert_eq!(settings.worker_options("{\"threads\":3}").unwrap(), r#"{"threads":3}"#);
}

#[test]
fn defaults_in_the_list_are_those_that_are_read() {
    let of = |name: &str| WORK_SETTINGS.iter().find(|setting| setting.name == name).unwrap().default;
    let settings = read(&[], &[]).unwrap();
    assert_eq!(of("WORKER_COUNT"), settings.processes.to_string());
    assert_eq!(of("JOBS_PER_FORK"), settings.jobs_per_process.to_string());
    assert_eq!(of("MAX_MEMORY_MB"), settings.max_memory_mb.to_string());
    let options = WorkerOptions::from_json(r#"{"queues":["q"]}"#).unwrap();
    assert_eq!(of("INTERVAL"), options.interval.as_secs().to_string());
    assert_eq!(of("SHUTDOWN_TIMEOUT"), (SHUTDOWN_MS / 1_000).to_string());
    assert_eq!(of("KILL_TIMEOUT"), (KILL_MS / 1_000).to_string());
    assert_eq!(options.timeouts.kill, Duration::from_millis(KILL_MS));
    let statsd = read(&[], &[("STATSD_HOST", "h")]).unwrap().statsd.unwrap();
    assert_eq!((of("STATSD_PORT"), of("STATSD_KEY")), (statsd.1.to_string().as_str(), statsd.2.as_str()));
}

/// `UPDATE_WORKERS=1 cargo test -p manyhands --lib settings` writes the table anew.
#[test]
fn the_page_of_workers_has_all_of_them() {
    let cell = |text: &str| if text.is_empty() { String::new() } else { format!("`{text}`") };
    let row = |WorkSetting { name, flag, default, unit, help, .. }: &WorkSetting| {
        format!("| {name} | `--{flag}` | {unit} | {} | {} |\n", cell(default), help.replace('*', "\\*"))
    };
    let head = "| variable | flag | unit | default | |\n|---|---|---|---|---|\n";
    let table: String = [head.to_owned()].into_iter().chain(WORK_SETTINGS.iter().map(row)).collect();
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/workers.md");
    let page = std::fs::read_to_string(path).unwrap();
    let (before, rest) = page.split_once("<!-- settings -->\n").unwrap();
    let (found, after) = rest.split_once("<!-- /settings -->").unwrap();
    if std::env::var_os("UPDATE_WORKERS").is_some() {
        let page = format!("{before}<!-- settings -->\n{table}<!-- /settings -->{after}");
        return std::fs::write(path, page).unwrap();
    }
    assert_eq!(found, table, "docs/workers.md is stale");
}

#[test]
fn flags_win() {
    let settings = read(
        &[("worker-count", "4"), ("queues", "a, b,")],
        &[
            ("WORKER_COUNT", "2"),
            ("QUEUES", "c"),
            ("THREAD_COUNT", "8"),
            ("VVERBOSE", "1"),
            ("JOB_RESERVER", "RoundRobin"),
        ],
    )
    .unwrap();
    assert_eq!((settings.processes, settings.threads, settings.verbose), (4, Some(8), true));
    assert_eq!(
        (settings.queues.as_slice(), settings.strategy.as_deref()),
        (["a".to_owned(), "b".to_owned()].as_slice(), Some("round_robin"))
    );
    let environment: Vec<_> = settings.environment().collect();
    assert_eq!(environment, [("QUEUES", "a, b,"), ("WORKER_COUNT", "4")]);
}

#[test]
fn the_first_name_of_two_counts() {
    let two = read(&[], &[("RESERVATION", "ordered"), ("JOB_RESERVER", "round_robin")]).unwrap();
    assert_eq!(two.strategy.as_deref(), Some("ordered"));
}

#[test]
fn spans_are_seconds_with_parts() {
    let settings = read(&[("shutdown-timeout", "1.5")], &[("INTERVAL", "0.25"), ("KILL_TIMEOUT", "0.75")]).unwrap();
    assert_eq!((settings.shutdown_ms, settings.kill_ms, settings.interval_ms), (Some(1_500), Some(750), Some(250)));
    let options = WorkerOptions::from_json(&settings.worker_options(r#"{"queues":["q"]}"#).unwrap()).unwrap();
    assert_eq!((options.interval, options.timeouts.kill), (Duration::from_millis(250), Duration::from_millis(750)));
}

#[test]
fn nonsense_is_refused_by_the_name_it_was_written_under() {
    assert_eq!(refused(&[("worker-count", "0")], &[]), "--worker-count 0 is outside 1..1000");
    assert_eq!(refused(&[], &[("THREAD_COUNT", "many")]), "THREAD_COUNT many is not a whole number");
    assert_eq!(refused(&[], &[("JOBS_PER_FORK", "1.5")]), "JOBS_PER_FORK 1.5 is not a whole number");
    assert_eq!(refused(&[], &[("SHUTDOWN_TIMEOUT", "-1")]), "SHUTDOWN_TIMEOUT -1 is outside 0..86400");
    assert_eq!(refused(&[], &[("INTERVAL", "nan")]), "INTERVAL nan is not a number");
    assert_eq!(refused(&[], &[("STATSD_PORT", "70000")]), "STATSD_PORT 70000 is outside 1..65535");
    assert!(refused(&[], &[("VERBOSE", "maybe")]).starts_with("VERBOSE maybe is neither yes nor no"));
    assert!(refused(&[], &[("JOB_RESERVER", "fair")]).starts_with("JOB_RESERVER fair is unknown; known are ordered, "));
    assert_eq!(refused(&[("queues", "a, b,a")], &[]), "--queues[2] names a a second time");
    assert_eq!(refused(&[], &[("QUEUES", "a,b\tc")]), "QUEUES[1] has a control character at byte 1");
    assert_eq!(
        refused(&[], &[("STATSD_KEY", "a b")]),
        "STATSD_KEY a b has characters other than letters, digits, _, - and ."
    );
    assert_eq!(refused(&[("wroker-count", "2")], &[]), "--wroker-count is unknown");
    assert!(refused(&[("url", "gopher://x")], &[]).starts_with("--url "));
    assert!(refused(&[], &[("MANYHANDS_URL", "gopher://x")]).starts_with("MANYHANDS_URL "));
    assert!(refused(&[], &[("NAMESPACE", "a:b")]).starts_with("NAMESPACE \"a:b\" is not 1 to 64 "));
}

#[test]
fn weights_are_those_of_the_strategy_that_counts() {
    let program = r#"{"queues":["q"],"strategy":"weighted","weights":{"q":2}}"#;
    for (strategy, kept) in [("ordered", false), ("weighted", true)] {
        let options = read(&[], &[("RESERVATION", strategy)]).unwrap().worker_options(program).unwrap();
        assert_eq!(options.contains("weights"), kept, "{strategy}");
        WorkerOptions::from_json(&options).unwrap();
    }
}

#[test]
fn a_function_that_chooses_is_the_programs() {
    let settings = read(&[], &[("RESERVATION", "callback")]).unwrap();
    let error = settings.worker_options(r#"{"queues":["q"],"strategy":"ordered"}"#).unwrap_err();
    assert_eq!(error.message, "RESERVATION callback is a function of the program; it gives none");
    settings.worker_options(r#"{"queues":["q"],"strategy":"callback"}"#).unwrap();
}

#[test]
fn a_worker_has_what_was_set() {
    let settings = read(
        &[("statsd-host", "metrics"), ("statsd-key", "jobs"), ("jobs-per-fork", "100"), ("verbose", "true")],
        &[("QUEUES", "mail-*,!mail-bulk")],
    )
    .unwrap();
    assert!(!settings.worker_options("{}").unwrap().contains("interval_ms"), "nobody said");
    let options: serde_json::Value = serde_json::from_str(&settings.worker_options("{}").unwrap()).unwrap();
    assert_eq!(options["statsd"], json!({"host": "metrics", "port": 8125, "key": "jobs"}));
    assert_eq!((&options["max_jobs"], &options["logged"]), (&json!(100), &json!(true)));
    assert_eq!(options["queues"], json!(["mail-*", "!mail-bulk"]));
    let all: serde_json::Value = serde_json::from_str(&settings.to_json()).unwrap();
    assert_eq!((&all["processes"], &all["worker"]["max_jobs"]), (&json!(1), &json!(100)));
    let table: serde_json::Value = serde_json::from_str(&WorkSettings::table_json()).unwrap();
    assert_eq!((table.as_array().unwrap().len(), &table[1]["also"]), (17, &json!("JOB_RESERVER")));
}

#[test]
fn a_log_keeps_the_format_that_the_program_chose() {
    let log = |verbose: &str, options: &str| {
        let options = read(&[], &[("VERBOSE", verbose)]).unwrap().worker_options(options).unwrap();
        WorkerOptions::from_json(&options).unwrap().log
    };
    assert_eq!(log("1", r#"{"queues":["q"],"log":"json"}"#), Some(Format::Json));
    assert_eq!(log("1", r#"{"queues":["q"],"log":"off"}"#), Some(Format::Text));
    assert_eq!(log("1", r#"{"queues":["q"]}"#), Some(Format::Text));
    assert_eq!(log("0", r#"{"queues":["q"]}"#), None);
}
