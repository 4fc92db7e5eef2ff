//! Errors of the core as Ruby exceptions; lib/manyhands/errors.rb makes the classes from the same list.

use magnus::{Error, ExceptionClass, RArray, Ruby, kwargs, prelude::*};
use manyhands::Code;

/// Every code: number, name, class name, retryable.
pub fn codes(ruby: &Ruby) -> Result<RArray, Error> {
    let rows = ruby.ary_new();
    for code in Code::ALL {
        rows.push((code.number(), code.name(), code.class(), code.retryable()))?;
    }
    Ok(rows)
}

/// The exception of `error`, of its code's class.
pub fn exception(ruby: &Ruby, error: manyhands::Error) -> Error {
    match build(ruby, &error) {
        Ok(exception) | Err(exception) => exception,
    }
}

fn build(ruby: &Ruby, error: &manyhands::Error) -> Result<Error, Error> {
    let class: ExceptionClass = crate::module(ruby)?.const_get(error.code.class())?;
    let about = kwargs!(
        ruby,
        "operation" => error.operation.as_deref(),
        "jid" => error.jid.as_deref(),
        "reason" => error.reason.as_deref()
    );
    Ok(class.new_instance((error.message.as_str(), about))?.into())
}
