//! The core's hot paths in a client, for the guard to count: `hot URL JOBS BATCH RUNS`, of each path so many jobs, of a worker so many
//! runs.

use std::sync::atomic::{AtomicUsize, Ordering};

use manyhands::ops::{Completion, Ended, Ending, QueuePut, QueueReserve, Reserved, Share, WorkerTurn};
use manyhands::{Client, Lane, Outcome, Put, Worker};

const SIZE: usize = 60;

/// Ends a span: callgrind knows it by its name.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn manyhands_bench_mark() {
    std::hint::black_box(());
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, url, jobs, batch, runs] = arguments.as_slice() else { return Err("hot URL JOBS BATCH RUNS".into()) };
    let (batch, calls) = (batch.parse::<usize>()?, jobs.parse::<usize>()? / batch.parse::<usize>()?);
    let client = Client::open(Some(url), "")?;
    let mut lane = client.lane();
    // As many that are not counted, so that what is done once is done; they are what the turns take.
    let puts: Vec<QueuePut> = (0..calls).map(|_| put(batch)).collect();
    for put in &puts {
        lane.send(put)?;
    }
    let puts: Vec<QueuePut> = (0..calls).map(|_| put(batch)).collect();
    counted(|| puts.iter().try_for_each(|put| lane.send(put).map(drop)))?;
    let reserve = reserve(batch);
    let reserved = counted(|| (0..calls).map(|_| lane.send(&reserve)).collect::<manyhands::Result<Vec<Reserved>>>())?;
    let turns: Vec<WorkerTurn> = reserved.into_iter().map(|reserved| turn(reserve.clone(), reserved)).collect();
    counted(|| turns.iter().try_for_each(|turn| one_turn(&mut lane, turn)))?;
    let runs = runs.parse::<usize>()?;
    for _ in 0..3 * runs / batch {
        lane.send(&put(batch))?;
    }
    perform(&client, runs)
}

/// A worker performs so many jobs that are not counted, and so many that are, while more wait.
fn perform(client: &Client, runs: usize) -> Result<(), Box<dyn std::error::Error>> {
    let worker = Worker::open(client, r#"{"queues": ["bench"]}"#)?;
    let begun = AtomicUsize::new(0);
    worker.run(|_| {
        let before = begun.fetch_add(1, Ordering::Relaxed);
        if before == runs || before == 2 * runs {
            manyhands_bench_mark();
        }
        if before == 2 * runs {
            worker.quiet();
        }
        Outcome::DONE
    })?;
    Ok(worker.stop(worker.shutdown_timeout())?)
}

fn counted<T>(span: impl FnOnce() -> T) -> T {
    manyhands_bench_mark();
    let value = span();
    manyhands_bench_mark();
    value
}

fn put(batch: usize) -> QueuePut {
    let data = format!("\"{}\"", "x".repeat(SIZE - 2));
    QueuePut::new((0..batch).map(|_| Put::new("noop").queue("bench").data(data.as_str())))
}

fn reserve(batch: usize) -> QueueReserve {
    QueueReserve {
        worker: "bench-host:4242:0123abcd".to_owned(),
        queues: vec!["bench".to_owned()],
        limit: batch as i64,
        share: Share::InOrder,
    }
}

fn turn(reserve: QueueReserve, reserved: Reserved) -> WorkerTurn {
    let done = |job: manyhands::Job| Ended {
        jid: job.jid,
        token: job.token,
        run_ms: 3,
        how: Ending::Complete(Completion::default()),
    };
    WorkerTurn { reserve, ended: reserved.jobs.into_iter().map(done).collect() }
}

fn one_turn(lane: &mut Lane, turn: &WorkerTurn) -> Result<(), Box<dyn std::error::Error>> {
    let turned = lane.send(turn)?;
    if turned.reserved.jobs.is_empty() {
        return Err("a turn took nothing".into());
    }
    Ok(())
}
