//! Manyhands in Rust, as bench/peers/README.md asks: `peer SOCKET JOBS SIZE MODE`.

#[path = "../../peers/leases.rs"]
mod leases;
#[path = "../../peers/protocol.rs"]
mod protocol;

use manyhands::{Client, Outcome, Put, Worker};
use protocol::Protocol;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let protocol = Protocol::new()?;
    let client = Client::open(Some(&format!("unix://{}", protocol.socket)), "")?;
    let queue = client.queue("bench");
    if protocol.puts() {
        let job = Put::new("noop").data(format!("\"{}\"", protocol.payload));
        let bulk = |count| queue.put_many(std::iter::repeat_n(job.clone(), count)).map(drop);
        return protocol.put(1_000, bulk, || queue.put(job.clone()).map(drop));
    }
    if leases::short() {
        client.config().set("heartbeat", Some(1_000), None)?;
        client.config().set("grace-period", Some(0), None)?;
    }
    let worker = Worker::open(&client, r#"{"queues": ["bench"]}"#)?;
    worker.run(|_| {
        if protocol.start() {
            worker.quiet();
        }
        Outcome::DONE
    })?;
    Ok(worker.stop(worker.shutdown_timeout())?)
}
