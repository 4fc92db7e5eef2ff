//! The arguments of every operation, and for each kind of argument what the engine must refuse.
//!
//! One line for each operation, or for each of its forms: `name: argument kind=valid, …`. `!`: it must be given. A word
//! `name[…]` has members of its own, in JSON.

/// Operations with one JSON argument.
const JSON: &str = r#"
check: cursor text="", limit whole 1..250, repair truth
config_all: unit choice="ms"
config_get: name! choice="heartbeat", queue name, unit choice="ms"
config_set: name! choice="heartbeat", value whole 100..86400000, queue name, unit choice="ms"
config_set: name! choice="events", value choice="all"
config_set: name! choice="test-clock", value whole 0..8796093022208=1000000
config_unset: name! choice="heartbeat", queue name
engine_version:
failure_groups: offset whole 0..9007199254740992, limit whole 1..250
failure_jobs: group! name, offset whole 0..9007199254740992, limit whole 1..250
failure_unfail: group! name, queue name, limit whole 1..100
job_cancel: jids! names 1..250
job_depend: jid! name, on! names 1..256, missing choice="satisfied"
job_explain: jid! name
job_get: jid! name
job_get_many: jids! names 0..250
job_list: state! choice="waiting", queue! name, offset whole 0..9007199254740992, limit whole 1..250
job_list: state! choice="completed", offset whole 0..9007199254740992, limit whole 1..250
job_log: jid! name, message! note 1..1024, data text="1", token token
job_prioritize: jid! name, priority! whole -128..127
job_progress: jid! name, token! token, progress! fraction, note note 0..1024
job_requeue: jid! name, queue name, data data, delay_ms whole 0..3155760000000, dependencies names 0..256, missing choice="reject", priority whole -128..127, retries whole 0..255, tags names 0..32, throttles names 0..32, route names 0..64, headers headers={"a":"b"}, timeout_ms whole 1..3155760000000, backoff_ms backoff={"first":1,"factor":1.5,"most":2,"jitter":0.5}
job_save: jid! name, token! token, data! data
job_tag: jid! name, tags! names 1..32
job_timeout: jid! name
job_track: jids! names 1..250
job_tracked: offset whole 0..9007199254740992, limit whole 1..250
job_undepend: jid! name, on! names 1..256
job_undepend: jid! name, all! truth=true
job_untag: jid! name, tags! names 1..32
job_untrack: jids! names 1..250
pattern_get:
pattern_set: identifiers identifiers={"a":["b"]}, priorities priorities=[{"patterns":["a"],"fair":true}]
queue_counts: queue! name
queue_forget: queues! names 1..100
queue_length: queue! name
queue_list: offset whole 0..9007199254740992, limit whole 1..250
queue_pause: queues! names 1..250
queue_peek: queue! name, offset whole 0..9007199254740992, limit whole 1..250
queue_ready: limit whole 1..250, within_ms whole 0..3155760000000
queue_stats: queue! name, day choice="2026-01-31"
queue_unpause: queues! names 1..250
recurring_cancel: jids! names 1..250
recurring_get: jid! name
recurring_list: queue! name, offset whole 0..9007199254740992, limit whole 1..250
recurring_pause: jid! name
recurring_put: jid! name, queue! name, kind! name, data data, interval_ms! whole 1..3155760000000, offset_ms whole 0..3155760000000, backlog whole 0..1000000000, priority whole -128..127, retries whole 0..255, tags names 0..32, throttles names 0..32, route names 0..64, headers headers={"a":"b"}, timeout_ms whole 1..3155760000000, backoff_ms backoff={"first":1,"factor":1.5,"most":2,"jitter":0.5}
recurring_resume: jid! name
recurring_tag: jid! name, tags! names 1..32
recurring_untag: jid! name, tags! names 1..32
recurring_update: jid! name, queue name, kind name, data data, interval_ms whole 1..3155760000000, backlog whole 0..1000000000, priority whole -128..127, retries whole 0..255, tags names 0..32, throttles names 0..32, route names 0..64, headers headers={"a":"b"}, timeout_ms whole 1..3155760000000, backoff_ms backoff={"first":1,"factor":1.5,"most":2,"jitter":0.5}
sweep: limit whole 1..100
tag_jobs: tag! name, offset whole 0..9007199254740992, limit whole 1..250
tag_list: offset whole 0..9007199254740992, limit whole 1..250
throttle_delete: id! name
throttle_delete: queue! name
throttle_get: id! name
throttle_get: queue! name
throttle_holders: id! name, offset whole 0..9007199254740992, limit whole 1..250
throttle_holders: queue! name, offset whole 0..9007199254740992, limit whole 1..250
throttle_list: offset whole 0..9007199254740992, limit whole 1..250
throttle_pending: id! name, offset whole 0..9007199254740992, limit whole 1..250
throttle_pending: queue! name, offset whole 0..9007199254740992, limit whole 1..250
throttle_release: id! name, jid! name
throttle_set: id! name, limit! whole 0..1000000000, expires_ms whole 1..3155760000000
throttle_set: queue! name, limit! whole 0..1000000000, expires_ms whole 1..3155760000000
worker_deregister: workers! names 1..250
worker_jobs: worker! name, offset whole 0..9007199254740992, limit whole 1..250
worker_list: offset whole 0..9007199254740992, limit whole 1..100
worker_lost: worker! name, started names 0..1000
worker_order: worker! name, order! choice="pause"
"#;

/// Operations with a list of arguments: those of the call; after `|` those of one item.
const FLAT: &str = r#"
job_complete: | token! token, options[queue name, data data, delay_ms whole 0..3155760000000, dependencies names 0..256], run_ms whole 0..3155760000000, result result, count! whole 1..250, jid! name
job_complete: | token! token, options[queue name, data data, delay_ms whole 0..3155760000000, dependencies names 0..256], run_ms own, result own, count! whole 1..250, jid! name, run_ms whole 0..3155760000000, result result
job_fail: | jid! name, token! token, run_ms whole 0..3155760000000, group! name, detail[message text="m", trace text="t"]
job_heartbeat: | jid! name, token! token
job_release: | jid! name, token! token
job_retry: | jid! name, token! token, run_ms whole 0..3155760000000, delay_ms whole 0..3155760000000, detail[group name, message text="m", trace text="t"]
job_snooze: | jid! name, token! token, run_ms whole 0..3155760000000, delay_ms! whole 0..3155760000000
queue_put: | queue! name, kind! name, options[priority whole -128..127, delay_ms whole 0..3155760000000, retries whole 0..255, tags names 0..32, route names 0..64, throttles names 0..32, headers headers={"a":"b"}, timeout_ms whole 1..3155760000000, backoff_ms backoff={"first":1,"factor":1.5,"most":2,"jitter":0.5}, dependencies names 0..256, missing choice="satisfied", on_conflict choice="keep"], count! whole 1..250, jid! name, data! data
queue_reserve: worker! name, limit! whole 0..250, share! choice="0", queue! name |
worker_pulse: worker! name, status[language note 0..255, version note 0..255, host note 0..255, pid whole 0..9007199254740992, threads whole 0..9007199254740992, running whole 0..9007199254740992, queues names 0..1000, kinds names 0..1000, quiet truth] | jid! name, token! token
worker_turn: worker! name, limit! whole 0..250, share! choice="1", count! whole 1..64, queue! name | verb! choice="complete", token! token, options[queue name, data data, delay_ms whole 0..3155760000000, dependencies names 0..256], run_ms whole 0..3155760000000, result result, count! whole 1..250, jid! name
worker_turn: worker! name, limit! whole 0..250, share! choice="1", count! whole 1..64, queue! name | verb! choice="complete", token! token, options[queue name, data data, delay_ms whole 0..3155760000000, dependencies names 0..256], run_ms own, result own, count! whole 1..250, jid! name, run_ms whole 0..3155760000000, result result
worker_turn: worker! name, limit! whole 0..250, share! choice="1", count! whole 1..64, queue! name | verb! choice="fail", token! token, detail[message text="m", trace text="t"], run_ms whole 0..3155760000000, group! name, count! whole 1..250, jid! name
worker_turn: worker! name, limit! whole 0..250, share! choice="1", count! whole 1..64, queue! name | verb! choice="fail", token! token, detail[message text="m", trace text="t"], run_ms own, group own, count! whole 1..250, jid! name, run_ms whole 0..3155760000000, group! name
worker_turn: worker! name, limit! whole 0..250, share! choice="1", count! whole 1..64, queue! name | verb! choice="retry", token! token, detail[group name, message text="m", trace text="t"], run_ms whole 0..3155760000000, delay_ms whole 0..3155760000000, count! whole 1..250, jid! name
worker_turn: worker! name, limit! whole 0..250, share! choice="1", count! whole 1..64, queue! name | verb! choice="snooze", token! token, unused unused, run_ms whole 0..3155760000000, delay_ms! whole 0..3155760000000, count! whole 1..250, jid! name
worker_turn: worker! name, limit! whole 0..250, share! choice="1", count! whole 1..64, queue! name | verb! choice="release", token! token, unused unused, run_ms whole 0..3155760000000, unused unused, count! whole 1..250, jid! name
worker_turn: worker! name, limit! whole 0..250, share! choice="1", count! whole 1..64, queue! name | verb! choice="unknown_kind", token! token, unused unused, run_ms whole 0..3155760000000, unused unused, count! whole 1..250, jid! name
"#;

/// The setting max-data while the table is tried: so that too much is not much.
pub const MAX_DATA: usize = 2000;

/// A form of an operation.
pub struct Form {
    /// The operation's name.
    pub operation: &'static str,
    /// None for one JSON argument; else where the items begin.
    pub items_at: Option<usize>,
    /// Its arguments in order; of JSON the members.
    pub arguments: Vec<Argument>,
}

/// One argument.
pub struct Argument {
    /// Its name, which an error must have.
    pub name: &'static str,
    /// Whether it must be given.
    pub required: bool,
    kind: &'static str,
    range: &'static str,
    valid: Option<&'static str>,
    members: Option<Vec<Argument>>,
}

/// All forms of all operations.
pub fn forms() -> Vec<Form> {
    let json =
        lines(JSON).map(|(operation, arguments)| Form { operation, items_at: None, arguments: parse(arguments) });
    let flat = lines(FLAT).map(|(operation, arguments)| {
        let (call, item) = arguments.split_once('|').unwrap();
        let mut arguments = parse(call);
        let items_at = Some(arguments.len());
        arguments.extend(parse(item));
        Form { operation, items_at, arguments }
    });
    json.chain(flat).collect()
}

fn lines(table: &'static str) -> impl Iterator<Item = (&'static str, &'static str)> {
    table.lines().filter(|line| !line.is_empty()).map(|line| line.split_once(':').unwrap())
}

/// Splits at commas outside of brackets and braces.
fn parse(text: &'static str) -> Vec<Argument> {
    let (mut depth, mut start, mut parts) = (0, 0, Vec::new());
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth -= 1,
            b',' if depth == 0 => {
                parts.push(&text[start..at]);
                start = at + 1;
            }
            _ => (),
        }
    }
    parts.push(&text[start..]);
    parts.into_iter().map(str::trim).filter(|part| !part.is_empty()).map(Argument::parse).collect()
}

impl Argument {
    fn parse(text: &'static str) -> Argument {
        let end = text.find([' ', '[']).unwrap();
        let (name, rest) = text.split_at(end);
        let bare = Argument {
            name: name.trim_end_matches('!'),
            required: name.ends_with('!'),
            kind: "object",
            range: "",
            valid: None,
            members: None,
        };
        if let Some(members) = rest.strip_prefix('[') {
            return Argument { members: Some(parse(members.strip_suffix(']').unwrap())), ..bare };
        }
        let (words, valid) =
            rest.trim().split_once('=').map_or((rest.trim(), None), |(words, valid)| (words, Some(valid)));
        let (kind, range) = words.split_once(' ').unwrap_or((words, ""));
        Argument { kind, range, valid, ..bare }
    }

    fn bounds(&self) -> (i64, i64) {
        let (least, most) = self.range.split_once("..").unwrap();
        (least.parse().unwrap(), most.parse().unwrap())
    }

    /// A value that is taken, as JSON.
    pub fn valid(&self) -> Vec<u8> {
        let valid = match (self.kind, self.valid) {
            (_, Some(valid)) => valid.to_owned(),
            ("name" | "note", _) => r#""a""#.into(),
            ("names", _) => r#"["a"]"#.into(),
            ("whole", _) => self.bounds().0.max(1).to_string(),
            ("token", _) => r#""7""#.into(),
            ("data" | "result", _) => r#""[1]""#.into(),
            ("truth", _) => "false".into(),
            ("fraction", _) => "0.5".into(),
            ("own", _) => r#""*""#.into(),
            ("unused", _) => r#""""#.into(),
            ("object", _) => return object(self.members.as_deref().unwrap(), None),
            other => panic!("{other:?}"),
        };
        valid.into_bytes()
    }

    /// Values that must be refused, as JSON.
    pub fn malformed(&self) -> Vec<Vec<u8>> {
        let quoted = |text: &str| format!("\"{text}\"");
        let types = |but: &[&str]| -> Vec<String> {
            let all = ["\"x\"", "1", "true", "false", "[1]", "{\"x\":1}"];
            all.iter().filter(|value| !but.contains(value)).map(|value| (*value).to_owned()).collect()
        };
        let names = [
            String::new(),
            "x".repeat(256),
            r"a\u0001b".into(),
            r"a\u007fb".into(),
            "\u{1}BAD".into(),
            "\u{2}BAD".into(),
        ];
        let mut values = match self.kind {
            "name" => [types(&["\"x\""]), names.iter().map(|name| quoted(name)).collect()].concat(),
            "names" => {
                let (least, most) = self.bounds();
                let many: Vec<_> = (0..=most).map(|index| quoted(&index.to_string())).collect();
                let mut values = types(&[]);
                values.extend(names.iter().map(|name| format!("[\"a\",{}]", quoted(name))));
                values.extend([format!("[{}]", many.join(",")), "[null]".into(), "[[\"a\"]]".into(), "[true]".into()]);
                values.extend((least > 0).then(|| "[]".to_owned()));
                values
            }
            "whole" => {
                let (least, most) = self.bounds();
                let mut values = types(&["1"]);
                values.extend([(least - 1).to_string(), (i128::from(most) + 2).to_string()]);
                values.extend(["1.5", "1e400", "-1e400", "NaN", "\"\"", "\"1.5\""].map(str::to_owned));
                values.push(quoted(&String::from_utf8(self.valid()).unwrap()));
                values
            }
            "token" => {
                let mut values = types(&["1"]);
                values.extend(["-1", "1.5", "\"\"", "\"-1\"", "\"1.5\"", "\"9007199254740994\""].map(str::to_owned));
                values
            }
            "data" => [types(&["\"x\""]), vec![quoted(""), quoted(&"x".repeat(MAX_DATA + 1))]].concat(),
            "result" => vec![quoted(&"x".repeat(MAX_DATA + 1))],
            "text" => [types(&["\"x\""]), vec![quoted("\u{1}BAD"), quoted("\u{2}BAD")]].concat(),
            "note" => {
                let (least, most) = self.bounds();
                let mut values = types(&["\"x\""]);
                values.extend([quoted(&"x".repeat(most as usize + 1)), quoted("\u{1}BAD"), quoted("\u{2}BAD")]);
                values.extend((least > 0).then(|| quoted("")));
                values
            }
            "choice" => [types(&[]), vec![quoted("")]].concat(),
            "truth" => types(&["true", "false"]),
            "fraction" => [types(&["1"]), ["-0.1", "1.1", "NaN", "1e400"].map(str::to_owned).to_vec()].concat(),
            "identifiers" => {
                let mut values = types(&["{\"x\":1}"]);
                let many: Vec<_> = (0..257).map(|index| format!("\"{index}\":[\"a\"]")).collect();
                values.push(format!("{{{}}}", many.join(",")));
                values.extend(
                    [r#"{"a":[]}"#, r#"{"a":1}"#, r#"{"a":[1]}"#, r#"{"":["a"]}"#, r#"{"a":null}"#].map(str::to_owned),
                );
                values
            }
            "headers" => {
                let mut values = types(&[]);
                let many: Vec<_> = (0..33).map(|index| format!("\"{index}\":\"a\"")).collect();
                values.extend([format!("{{{}}}", many.join(",")), format!("{{\"a\":{}}}", quoted(&"x".repeat(4096)))]);
                let maps = [
                    r#"{"":"a"}"#,
                    r#"{"a":["b"]}"#,
                    r#"{"a":null}"#,
                    r#"["a"]"#,
                    "{\"a\":\"\u{1}BAD\"}",
                    "{\"\u{1}BAD\":\"a\"}",
                ];
                values.extend(maps.map(str::to_owned));
                values
            }
            "priorities" => {
                let mut values = types(&[]);
                values.push(format!("[{}]", [r#"{"patterns":["a"]}"#; 257].join(",")));
                let items = [
                    "{}",
                    r#"{"patterns":[]}"#,
                    r#"{"patterns":["a"],"fair":1}"#,
                    r#"{"patterns":["a"],"x":1}"#,
                    "null",
                ];
                values.extend(items.map(|item| format!("[{item}]")));
                values
            }
            "backoff" => {
                let mut values = types(&["1"]);
                values.retain(|value| value != "[1]");
                let many = vec!["1"; 65].join(",");
                values.extend(["-1", "1.5", "[]", "{}", "[null]", "[-1]", "[1,1.5]"].map(str::to_owned));
                values.extend([format!("[{many}]"), format!(r#"{{"list":[{many}]}}"#)]);
                let spans = ["false", "null", "-1", "1.5", "\"1\"", "[1]"];
                values.extend(spans.map(|span| format!(r#"{{"first":{span}}}"#)));
                values.extend(spans.map(|span| format!(r#"{{"first":1,"most":{span}}}"#)));
                let shares = ["false", "null", "\"1\"", "-0.1", "1e400"];
                values.extend(shares.map(|share| format!(r#"{{"first":1,"factor":{share}}}"#)));
                values.extend(shares.map(|share| format!(r#"{{"list":[1],"jitter":{share}}}"#)));
                let objects = [r#"{"list":{}}"#, r#"{"list":[]}"#, r#"{"list":false}"#, r#"{"list":[1],"first":1}"#];
                values.extend(objects.map(str::to_owned));
                values.extend([r#"{"first":1,"factor":0.9}"#, r#"{"first":1,"jitter":1.1}"#].map(str::to_owned));
                values
            }
            "unused" | "own" => Vec::new(),
            other => panic!("{other}"),
        };
        if self.required {
            values.push("null".into());
        }
        values.into_iter().map(|value| with_bad_bytes(&value)).collect()
    }

    /// The members of an argument that is JSON within a flat call.
    pub fn members(&self) -> Option<&[Argument]> {
        self.members.as_deref()
    }

    /// Values in a flat call, where all is text, that must be refused.
    pub fn malformed_text(&self) -> Vec<Vec<u8>> {
        let values = match self.kind {
            "name" | "data" | "result" | "whole" | "token" | "choice" => self.malformed(),
            _ => Vec::new(),
        };
        // A number is as good as any other text where a text is wanted.
        let numeric = matches!(self.kind, "whole" | "token");
        let texts = values.into_iter().filter(|value| numeric || value[0] == b'"').filter_map(|value| unquoted(&value));
        let texts = texts.filter(|text| self.required || !text.is_empty());
        let texts = texts.filter(|text| *text != self.valid_text());
        let more: &[&str] = match self.kind {
            "whole" => &["true", "1e3", "0x10", " 1"],
            "token" => &["x1", "1e3", "null"],
            _ => &[],
        };
        texts.chain(more.iter().map(|text| text.as_bytes().to_vec())).collect()
    }

    /// The valid value as the text of a flat call.
    pub fn valid_text(&self) -> Vec<u8> {
        let valid = self.valid();
        unquoted(&valid).unwrap_or(valid)
    }
}

/// The text in a quoted value; numbers are texts too.
fn unquoted(value: &[u8]) -> Option<Vec<u8>> {
    match value {
        [b'"', text @ .., b'"'] => {
            let text = String::from_utf8_lossy(text).replace(r"\u0001", "\u{1}").replace(r"\u007f", "\u{7f}");
            let bad = |value: &[u8]| value.contains(&0xff) || value.contains(&0xc0);
            if bad(value) { Some(value[1..value.len() - 1].to_vec()) } else { Some(text.into_bytes()) }
        }
        [b'0'..=b'9' | b'-', ..] => Some(value.to_vec()),
        _ => None,
    }
}

/// Bytes that are no UTF-8: one that never is, and a sequence that is longer than it need be.
fn with_bad_bytes(value: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = value;
    while let Some(at) = rest.find("BAD") {
        let sign = rest.as_bytes()[at - 1];
        bytes.extend_from_slice(&rest.as_bytes()[..at - 1]);
        bytes.extend_from_slice(if sign == 1 { b"a\xff" } else { b"\xc0\x80" });
        rest = &rest[at + 3..];
    }
    bytes.extend_from_slice(rest.as_bytes());
    bytes
}

/// The JSON object of valid arguments; with one of another value, or without it.
pub fn object(arguments: &[Argument], other: Option<(usize, Option<&[u8]>)>) -> Vec<u8> {
    let mut members = Vec::new();
    for (index, argument) in arguments.iter().enumerate() {
        let value = match other {
            Some((at, value)) if at == index => value.map(<[u8]>::to_vec),
            _ => Some(argument.valid()),
        };
        members.extend(value.map(|value| [format!("\"{}\":", argument.name).as_bytes(), &value].concat()));
    }
    [b"{".as_slice(), &members.join(&b","[..]), b"}"].concat()
}
