//! soon
use crate::client::{Connection, Fault};
use crate::options::Options;
use crate::url::Target;
use std::time::Instant;
pub(crate) fn prepare(_c: &mut Connection, _t: &Target, _o: &Options, _d: Instant) -> Result<(), Fault> {
    Ok(())
}
