//! An example's program, with a private server in a folder of the test's own.

use std::process::{Command, Stdio};

use manyhands::Client;

pub struct Program {
    path: &'static str,
    pub client: Client,
}

impl Program {
    pub fn new(path: &'static str) -> Program {
        let url = format!("embedded:{}/{}", env!("CARGO_TARGET_TMPDIR"), std::process::id());
        Program { path, client: Client::open(Some(&url), "").unwrap() }
    }

    /// Runs it until it has performed so many jobs: what it said on its standard output, and as errors.
    pub fn run(&self, jobs: u32) -> (String, String) {
        let mut command = Command::new(self.path);
        command.env("MANYHANDS_URL", self.client.url()).env("JOBS_PER_FORK", jobs.to_string());
        let output = command.stdin(Stdio::null()).output().unwrap();
        let [said, errors] = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
        assert!(output.status.success(), "{errors}");
        (said, errors)
    }
}
