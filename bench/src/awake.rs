//! Processors that never sleep: one that is woken for each call begins it slowly, on a virtual machine most of all.

use std::process::{Child, Command, Stdio};

/// A program of lowest priority on each processor; they end with this value.
pub struct Awake(Vec<Child>);

impl Awake {
    /// Begins them.
    pub fn keep() -> Result<Awake, Box<dyn std::error::Error>> {
        let mut awake = Awake(Vec::new());
        for _ in 0..std::thread::available_parallelism()?.get() {
            let mut command = Command::new("chrt");
            command.args(["--idle", "0", "sh", "-c", "while :; do :; done"]).stdin(Stdio::null());
            awake.0.push(command.spawn().map_err(|error| format!("chrt (util-linux): {error}"))?);
        }
        Ok(awake)
    }
}

impl Drop for Awake {
    fn drop(&mut self) {
        for program in &mut self.0 {
            let _ = program.kill();
            let _ = program.wait();
        }
    }
}
