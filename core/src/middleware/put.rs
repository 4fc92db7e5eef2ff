//! Middleware around the puts of a client.

use std::sync::Arc;

use crate::client::Client;
use crate::error::Result;
use crate::ops::{Placed, Put, QueuePut};

/// Code around every put of a client made with [`Client::with`]: it may change the jobs, add some, or put none.
///
/// Any function of this shape is one. It sees what [`crate::Queue::put`], [`crate::Queue::put_many`] and [`Client::put_all`] put;
/// not what goes by [`Client::call`] or [`Client::send`].
pub trait PutMiddleware: Send + Sync {
    /// Runs around a put; `next` answers what became of each job it is given, in order.
    ///
    /// # Errors
    /// Those of [`Client::put_all`], or its own: whoever puts gets them.
    fn around(&self, puts: Vec<Put>, next: AroundPut<'_>) -> Result<Vec<Placed>>;
}

impl<F: Fn(Vec<Put>, AroundPut<'_>) -> Result<Vec<Placed>> + Send + Sync> PutMiddleware for F {
    fn around(&self, puts: Vec<Put>, next: AroundPut<'_>) -> Result<Vec<Placed>> {
        self(puts, next)
    }
}

/// What is inside of a middleware: the rest of the chain, and the put. It can be called once.
pub struct AroundPut<'a> {
    client: &'a Client,
    rest: &'a [Arc<dyn PutMiddleware>],
}

impl<'a> AroundPut<'a> {
    pub(crate) fn new(client: &'a Client, chain: &'a [Arc<dyn PutMiddleware>]) -> AroundPut<'a> {
        AroundPut { client, rest: chain }
    }

    /// Puts these jobs.
    ///
    /// # Errors
    /// Those of [`Client::put_all`], and of the rest of the chain.
    pub fn call(self, puts: Vec<Put>) -> Result<Vec<Placed>> {
        match self.rest.split_first() {
            Some((first, rest)) => first.around(puts, AroundPut { rest, ..self }),
            None => self.client.put_now(QueuePut::new(puts)),
        }
    }
}
