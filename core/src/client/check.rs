//! Whether everything agrees with the jobs' records.

use super::ask::{Arguments, natural};
use super::blocking::Client;
use crate::error::Result;
use crate::json::Fields;

/// Something that does not agree. See [`Client::check`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The rule it breaks: `missing`, `score`, `stray`, `count`, `due`, `blocked`, `dependents`, `throttle`, `queue`, `lost`,
    /// `orphan`, `state`, `type`.
    pub rule: String,
    /// The job it is about; None for counts and keys.
    pub jid: Option<String>,
    /// What is wrong.
    pub detail: String,
    /// Whether it was mended.
    pub repaired: bool,
}

/// The violations found, step by step; see [`Client::check`].
#[derive(Debug)]
pub struct Check {
    client: Client,
    repair: bool,
    /// None at the end.
    cursor: Option<String>,
    found: std::vec::IntoIter<Violation>,
    looked: u64,
}

impl Client {
    /// Checks that everything agrees with the jobs' records, in bounded steps while others work, and gives what does not.
    /// `repair`: mends what can be mended without guessing. The first error ends it.
    ///
    /// ```no_run
    /// let client = manyhands::Client::open(None, "")?;
    /// for violation in client.check(false) {
    ///     println!("{:?}", violation?);
    /// }
    /// # Ok::<(), manyhands::Error>(())
    /// ```
    ///
    /// Source: core/src/engine/ops/check.lua
    pub fn check(&self, repair: bool) -> Check {
        Check { client: self.clone(), repair, cursor: Some(String::new()), found: Vec::new().into_iter(), looked: 0 }
    }
}

impl Check {
    /// Keys and members looked at so far.
    pub fn looked(&self) -> u64 {
        self.looked
    }

    fn step(&mut self, cursor: String) -> Result<()> {
        let arguments = Arguments::new().with("cursor", cursor).with("repair", self.repair);
        let reply = self.client.ask("check", arguments)?;
        let (next, looked, found) = reply.read(|mut fields| {
            let found = fields.required_list("violations")?.into_iter();
            let found = found.map(|one| Violation::read(Fields::parse(one.get(), "violations")?));
            let found = found.collect::<Result<Vec<_>>>()?;
            Ok((fields.required_text("cursor")?, natural(&mut fields, "looked")?, found))
        })?;
        self.looked += looked;
        self.found = found.into_iter();
        self.cursor = (!next.is_empty()).then_some(next);
        Ok(())
    }
}

impl Iterator for Check {
    type Item = Result<Violation>;

    fn next(&mut self) -> Option<Result<Violation>> {
        loop {
            if let Some(violation) = self.found.next() {
                return Some(Ok(violation));
            }
            let cursor = self.cursor.take()?;
            if let Err(error) = self.step(cursor) {
                return Some(Err(error));
            }
        }
    }
}

impl Violation {
    fn read(mut fields: Fields<'_>) -> Result<Violation> {
        Ok(Violation {
            rule: fields.required_text("rule")?,
            jid: fields.text("jid")?,
            detail: fields.text("detail")?.unwrap_or_default(),
            repaired: natural(&mut fields, "repaired")? > 0,
        })
    }
}
