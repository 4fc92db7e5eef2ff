//! JavaScript is called when a worker has something for it to look at, so that its thread sleeps while there is nothing.

use std::io::{ErrorKind, Read};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;

use napi::bindgen_prelude::Function;
use napi::threadsafe_function::ThreadsafeFunctionCallMode;

use crate::errors::thrown;
use crate::pool;

/// Rings that are taken at once: what is to be looked at is all there by then.
const RINGS: usize = 64;

/// What a thread of its own listens to.
pub struct News(UnixStream);

impl News {
    /// Calls `told` on JavaScript's thread, until the end.
    pub fn told_to(core: &manyhands::Worker, told: Function<'_, (), ()>) -> napi::Result<News> {
        let (heard, rung) = UnixStream::pair()?;
        core.ring_on_news(rung.into()).map_err(thrown)?;
        let told = told.build_threadsafe_function().build()?;
        let mut listened = heard.try_clone()?;
        pool::start("manyhands-news", move || {
            loop {
                match listened.read(&mut [0; RINGS]) {
                    Ok(0) => return,
                    Ok(_) => drop(told.call((), ThreadsafeFunctionCallMode::NonBlocking)),
                    Err(error) if error.kind() == ErrorKind::Interrupted => {}
                    Err(_) => return,
                }
            }
        })?;
        Ok(News(heard))
    }

    /// The thread ends.
    pub fn end(&self) {
        // It fails when nobody is at the other end any more.
        let _ = self.0.shutdown(Shutdown::Both);
    }
}

/// Left to the garbage collector, or its environment has gone.
impl Drop for News {
    fn drop(&mut self) {
        self.end();
    }
}
