//! How many jobs a second the engine can pass on when it never waits for a client: large calls on two connections, each of which
//! always has one under way.

use redis::{Connection, Value};

use crate::Done;
use crate::engine::{self, WORKER};
use crate::server::{Caller, Meters, Server};

/// As many as one call may complete.
const BATCH: usize = 125;

/// What the server did, per job.
pub struct Ceiling {
    pub jobs_per_second: f64,
    /// Seconds of processor time of the server.
    pub server: f64,
}

/// The engine without a worker.
pub struct Alone {
    meters: Connection,
    taking: Calls,
    ending: Calls,
}

impl Alone {
    /// On a server that does not know it yet: its calls have always the same callers, and numbers from 1 on.
    pub fn on(server: &Server) -> redis::RedisResult<Alone> {
        Ok(Alone {
            meters: server.connect()?,
            taking: Calls::new(server, "00000000beeffee1")?,
            ending: Calls::new(server, "00000000beeffee2")?,
        })
    }

    /// Reserves all jobs that wait in the queue `bench` on one connection, and completes them on another; the seconds of processor
    /// time of the server.
    pub fn drain(&mut self) -> Done<f64> {
        let Alone { meters, taking, ending } = self;
        let reserve = [WORKER.to_owned(), BATCH.to_string(), "0".to_owned(), "bench".to_owned()];
        let (used, mut unanswered) = (Meters(meters).used_cpu()?, false);
        taking.send("queue_reserve", &reserve)?;
        loop {
            let Value::Array(reserved) = taking.answer()? else { return Err("a reserve answered no list".into()) };
            if engine::jids(&reserved).is_empty() {
                break;
            }
            taking.send("queue_reserve", &reserve)?;
            if unanswered {
                ending.completed()?;
            }
            ending.send("job_complete", &engine::completions(&reserved))?;
            unanswered = true;
        }
        if unanswered {
            ending.completed()?;
        }
        Ok(Meters(meters).used_cpu()? - used)
    }
}

/// Calls of the engine on a connection, whose answers are read later.
struct Calls {
    connection: Connection,
    caller: Caller,
}

impl Calls {
    fn new(server: &Server, caller: &'static str) -> redis::RedisResult<Calls> {
        Ok(Calls { connection: server.connect()?, caller: Caller::named(caller) })
    }

    fn send(&mut self, operation: &str, arguments: &[String]) -> redis::RedisResult<()> {
        let mut pipe = redis::pipe();
        self.caller.write(&mut pipe, operation, arguments);
        self.connection.send_packed_command(&pipe.get_packed_pipeline())
    }

    /// The answer to a job_complete: all jobs of the call were.
    fn completed(&mut self) -> Done<()> {
        match redis::from_redis_value::<String>(self.answer()?) {
            Ok(answer) if answer == "completed" => Ok(()),
            other => Err(format!("a completion was answered with {other:?}").into()),
        }
    }

    fn answer(&mut self) -> redis::RedisResult<Value> {
        self.connection.recv_response()
    }
}
