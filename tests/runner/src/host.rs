//! Who answers a scenario's calls: the core in process, or a driver program in some language.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use manyhands::{Client, Code, Error};
use serde_json::Value as Json;

/// One call, as a driver reads it: four texts on one line, parted by tabs.
pub struct Request<'a> {
    /// Which client; the first call of a label opens it.
    pub client: &'a str,
    /// The client's options as JSON: `url`, `namespace` and others of `Client::open`.
    pub options: &'a str,
    /// The operation, or `close`.
    pub operation: &'a str,
    /// The operation's arguments as JSON.
    pub arguments: &'a str,
}

/// The JSON text of a reply, or of an error's fields.
pub type Answer = Result<String, Json>;

/// Something that answers calls.
pub trait Host {
    /// The name that `only` lines and failures use.
    fn name(&self) -> &str;

    /// Answers one call.
    ///
    /// # Errors
    /// The outer error: the host itself broke, and the scenario cannot go on.
    fn call(&mut self, request: &Request<'_>) -> Result<Answer, String>;

    /// True when it broke for good: it will answer no other scenario either.
    fn is_gone(&self) -> bool {
        false
    }
}

/// The core in process, through `Client::call`, the door of every binding.
#[derive(Default)]
pub struct Door {
    clients: HashMap<String, Client>,
}

impl Door {
    fn answer(&mut self, request: &Request<'_>) -> manyhands::Result<String> {
        let client = match self.clients.get(request.client) {
            Some(client) => client.clone(),
            None => {
                let client = open(request.options)?;
                self.clients.insert(request.client.to_owned(), client.clone());
                client
            }
        };
        if request.operation == "close" {
            client.close();
            return Ok("null".into());
        }
        client.call(request.operation, request.arguments)
    }
}

/// Opens the client that a request's options describe; `url` is not an option of the core's own.
///
/// # Errors
/// What `Client::open` says of them.
fn open(options: &str) -> manyhands::Result<Client> {
    let mut options: Json = serde_json::from_str(options).map_err(|error| Error::invalid(error.to_string()))?;
    let url = options.as_object_mut().and_then(|fields| fields.remove("url"));
    Client::open(url.as_ref().and_then(Json::as_str), &options.to_string())
}

impl Host for Door {
    fn name(&self) -> &str {
        "door"
    }

    fn call(&mut self, request: &Request<'_>) -> Result<Answer, String> {
        let answer = self.answer(request);
        Ok(answer.map_err(|error| serde_json::from_str(&error.to_json()).expect("an error's JSON is JSON")))
    }
}

/// A driver program: one request per line in, one JSON line out.
pub struct Driver {
    name: String,
    process: Child,
    requests: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    gone: bool,
}

impl Driver {
    /// Starts `tests/drivers/<name>/run`.
    ///
    /// # Errors
    /// A text that says which program did not start.
    pub fn start(folder: &Path, name: &str) -> Result<Driver, String> {
        let program = folder.join(name).join("run");
        let mut process = Command::new(&program)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("{}: {error}", program.display()))?;
        let requests = process.stdin.take();
        let answers = BufReader::new(process.stdout.take().expect("stdout is piped"));
        Ok(Driver { name: name.into(), process, requests, answers, gone: false })
    }
}

impl Host for Driver {
    fn name(&self) -> &str {
        &self.name
    }

    fn call(&mut self, request: &Request<'_>) -> Result<Answer, String> {
        let line = self.exchange(request).inspect_err(|_| self.gone = true)?;
        read_answer(&line)
    }

    fn is_gone(&self) -> bool {
        self.gone
    }
}

impl Driver {
    /// Sends one line and reads one.
    fn exchange(&mut self, request: &Request<'_>) -> Result<String, String> {
        let Request { client, options, operation, arguments } = request;
        let line = format!("{client}\t{options}\t{operation}\t{arguments}\n");
        let requests = self.requests.as_mut().expect("open until dropped");
        let sent = requests.write_all(line.as_bytes());
        let mut answer = String::new();
        match sent.and_then(|()| self.answers.read_line(&mut answer)) {
            Ok(0) | Err(_) => Err(format!("the driver ended: {}; is its package built?", status(&mut self.process))),
            Ok(_) => Ok(answer),
        }
    }
}

fn status(process: &mut Child) -> String {
    process.wait().map_or_else(|error| error.to_string(), |status| status.to_string())
}

/// `{"reply": …}` or `{"error": {"name": …}}`; the reply's own bytes are kept.
fn read_answer(line: &str) -> Result<Answer, String> {
    let broken = |problem: &str| format!("the driver answered {}: {problem}", line.trim_end());
    let fields: HashMap<String, Box<serde_json::value::RawValue>> =
        serde_json::from_str(line).map_err(|error| broken(&error.to_string()))?;
    if let Some(reply) = fields.get("reply") {
        return Ok(Ok(reply.get().to_owned()));
    }
    let error = fields.get("error").ok_or_else(|| broken("neither reply nor error"))?;
    let error: Json = serde_json::from_str(error.get()).map_err(|error| broken(&error.to_string()))?;
    match error["name"].as_str().and_then(Code::from_name) {
        Some(code) if error["code"] == code.number() && error["retryable"] == code.retryable() => Ok(Err(error)),
        Some(code) => Err(broken(&format!("{code} is number {}, retryable {}", code.number(), code.retryable()))),
        None => Err(broken("not one of our errors")),
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.requests = None; // end of input: the driver leaves by itself
        let _ = self.process.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_keeps_its_bytes() {
        assert_eq!(read_answer("{\"reply\": {\"b\":1.0, \"a\":2}}\n"), Ok(Ok("{\"b\":1.0, \"a\":2}".into())));
    }

    #[test]
    fn an_error_must_be_one_of_ours() {
        let lost = r#"{"error":{"code":201,"name":"LOCK_LOST","message":"m","retryable":false}}"#;
        assert_eq!(read_answer(lost).unwrap().unwrap_err()["message"], "m");
        assert!(read_answer(&lost.replace("201", "202")).unwrap_err().contains("LOCK_LOST is number 201"));
        assert!(read_answer(r#"{"error":{"name":"TypeError"}}"#).unwrap_err().contains("not one of our errors"));
        assert!(read_answer("boom").unwrap_err().contains("boom"));
    }
}
