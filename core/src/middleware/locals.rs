//! What middleware and handler share during one run of a job.

use std::any::{Any, TypeId};
use std::cell::RefCell;
use std::collections::HashMap;
#[cfg(feature = "async")]
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Values of one run, one of each type: a trace span, a database connection. Empty at its start, dropped at its end.
#[derive(Default)]
pub struct Locals {
    values: RefCell<HashMap<TypeId, Box<dyn Any>>>,
}

impl Locals {
    /// Keeps a value for the rest of the run; returns the one of its type that was kept before.
    pub fn set<T: 'static>(&self, value: T) -> Option<T> {
        let before = self.values.borrow_mut().insert(TypeId::of::<T>(), Box::new(value));
        before.and_then(whole)
    }

    /// The value of this type.
    pub fn get<T: Clone + 'static>(&self) -> Option<T> {
        self.values.borrow().get(&TypeId::of::<T>())?.downcast_ref().cloned()
    }

    /// Takes the value of this type out.
    pub fn take<T: 'static>(&self) -> Option<T> {
        self.values.borrow_mut().remove(&TypeId::of::<T>()).and_then(whole)
    }
}

/// [`Locals`] for futures: values that may go from thread to thread. Clones are the same values.
#[cfg(feature = "async")]
#[derive(Clone, Default)]
pub struct AsyncLocals {
    values: Arc<Mutex<HashMap<TypeId, Box<dyn Any + Send>>>>,
}

#[cfg(feature = "async")]
impl AsyncLocals {
    /// Keeps a value for the rest of the run; returns the one of its type that was kept before.
    pub fn set<T: Send + 'static>(&self, value: T) -> Option<T> {
        let before = self.values().insert(TypeId::of::<T>(), Box::new(value));
        before.and_then(|before| whole(before))
    }

    /// The value of this type.
    pub fn get<T: Clone + 'static>(&self) -> Option<T> {
        self.values().get(&TypeId::of::<T>())?.downcast_ref().cloned()
    }

    /// Takes the value of this type out.
    pub fn take<T: 'static>(&self) -> Option<T> {
        let value = self.values().remove(&TypeId::of::<T>());
        value.and_then(|value| whole(value))
    }

    fn values(&self) -> MutexGuard<'_, HashMap<TypeId, Box<dyn Any + Send>>> {
        self.values.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn whole<T: 'static>(value: Box<dyn Any>) -> Option<T> {
    value.downcast().ok().map(|value| *value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_one_value_of_each_type() {
        let locals = Locals::default();
        assert_eq!(locals.get::<String>(), None);
        assert_eq!((locals.set(5_u8), locals.set(6_u8), locals.set("a")), (None, Some(5), None));
        assert_eq!((locals.get(), locals.take(), locals.get::<u8>()), (Some(6_u8), Some(6_u8), None));
        assert_eq!(locals.get(), Some("a"));
    }
}
