//! How long a job waits after an error, by the number of its errors.

use std::time::Duration;

use serde_json::{Value as Json, json};

use crate::check;
use crate::error::{Error, Result};
use crate::json::Fields;

/// What an exponential backoff is unless it says otherwise.
const DOUBLING: f64 = 2.0;
const LONGEST_MS: i64 = 3_600_000;
const A_TENTH: f64 = 0.1;
/// What it grows by at most, and how many waits a list has at most, where a job or JSON says so.
const MOST_FACTOR: f64 = 1_000.0;
const MOST_WAITS: usize = 64;

/// How long a job waits before it runs again, by the number of its errors.
#[derive(Clone, Debug, PartialEq)]
pub struct Backoff {
    wait: Wait,
    jitter: f64,
}

#[derive(Clone, Debug, PartialEq)]
enum Wait {
    Listed(Vec<Duration>),
    Growing { first: Duration, factor: f64, most: Duration },
}

// Its numbers are never NaN.
impl Eq for Backoff {}
impl Eq for Wait {}

impl Default for Backoff {
    /// What holds where nobody says otherwise: 1 s, doubling to an hour, with a jitter of 0.1.
    fn default() -> Backoff {
        Backoff::exponential(Duration::from_secs(1))
    }
}

impl Backoff {
    /// Doubling from `first` after the first error to at most an hour, with a jitter of 0.1.
    pub fn exponential(first: Duration) -> Backoff {
        let most = Duration::from_millis(LONGEST_MS as u64);
        Backoff { wait: Wait::Growing { first, factor: DOUBLING, most }, jitter: A_TENTH }
    }

    /// The same after each error.
    pub fn fixed(wait: Duration) -> Backoff {
        Backoff::list([wait])
    }

    /// One after the other; the last for all that follow. An empty list does not wait.
    pub fn list(waits: impl IntoIterator<Item = Duration>) -> Backoff {
        Backoff { wait: Wait::Listed(waits.into_iter().collect()), jitter: 0.0 }
    }

    /// The same, growing by this factor (at least 1) to at most `most`; only of [`Backoff::exponential`].
    #[must_use]
    pub fn growing(mut self, by: f64, to: Duration) -> Backoff {
        if let Wait::Growing { factor, most, .. } = &mut self.wait {
            (*factor, *most) = (by.max(1.0), to);
        }
        self
    }

    /// The same, longer or shorter at random by a share of up to this, 0 to 1.
    #[must_use]
    pub fn jitter(self, share: f64) -> Backoff {
        Backoff { jitter: if share.is_nan() { 0.0 } else { share.clamp(0.0, 1.0) }, ..self }
    }

    /// Takes one from JSON, as [`Backoff::from_json`] reads it.
    pub(crate) fn take(fields: &mut Fields, name: &str) -> Result<Option<Backoff>> {
        let given = fields.raw(name)?.filter(|text| text != "null");
        given.map(|text| Backoff::read(&text, &fields.path(name))).transpose()
    }

    /// What a job has that stands in Redis; None too for what only a newer program can read.
    pub(crate) fn of_stored(fields: &mut Fields) -> Result<Option<Backoff>> {
        Ok(fields.raw("backoff_ms")?.and_then(|text| Backoff::from_json(&text).ok()))
    }

    fn read(text: &str, path: &str) -> Result<Backoff> {
        match text.as_bytes().first() {
            Some(b'{') => Backoff::take_object(Fields::parse(text, path)?),
            Some(b'[') => take_list(text, path).map(Backoff::list),
            _ => {
                let ms = serde_json::from_str(text).map_err(|_| {
                    Error::invalid(format!("{path} {text} is not milliseconds, a list of them or an object"))
                })?;
                span(ms, path).map(Backoff::fixed)
            }
        }
    }

    fn take_object(mut fields: Fields) -> Result<Backoff> {
        let jitter = fields.number_in("jitter", 0.0, 1.0)?;
        if let Some(list) = fields.raw("list")? {
            let waits = take_list(&list, &fields.path("list"))?;
            fields.end()?;
            return Ok(Backoff::list(waits).jitter(jitter.unwrap_or(0.0)));
        }
        let first = fields.integer_in("first", 0, check::MAX_SPAN_MS)?;
        let first = first.ok_or_else(|| Error::invalid(format!("{} is missing", fields.path("first"))))?;
        let most = fields.integer_in("most", 0, check::MAX_SPAN_MS)?.unwrap_or(LONGEST_MS);
        let factor = fields.number_in("factor", 1.0, MOST_FACTOR)?.unwrap_or(DOUBLING);
        fields.end()?;
        let backoff = Backoff::exponential(Duration::from_millis(first as u64));
        Ok(backoff.growing(factor, Duration::from_millis(most as u64)).jitter(jitter.unwrap_or(A_TENTH)))
    }

    /// The JSON that jobs and kinds have, in whole milliseconds: a number; a list of at most 64, the last for all that follow; an
    /// object of `first`, `factor` (1 to 1000; default 2), `most` (3600000) and `jitter` (0 to 1; 0.1), or of `list` and `jitter` (0).
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` naming what is wrong.
    pub fn from_json(json: &str) -> Result<Backoff> {
        Backoff::read(json.trim_start(), "backoff_ms")
    }

    /// The same, written: every member is there.
    ///
    /// ```
    /// # use manyhands::Backoff;
    /// # use std::time::Duration;
    /// let backoff = Backoff::exponential(Duration::from_secs(2));
    /// assert_eq!(backoff.to_json(), r#"{"factor":2,"first":2000,"jitter":0.1,"most":3600000}"#);
    /// assert_eq!(Backoff::from_json("[1000, 60000]").unwrap().to_json(), "[1000,60000]");
    /// ```
    pub fn to_json(&self) -> String {
        self.value().to_string()
    }

    pub(crate) fn value(&self) -> Json {
        let jitter = number(self.jitter);
        match &self.wait {
            Wait::Growing { first, factor, most } => {
                json!({"first": whole_ms(first), "factor": number(*factor), "most": whole_ms(most), "jitter": jitter})
            }
            Wait::Listed(waits) => {
                let list: Vec<i64> = waits.iter().map(whole_ms).collect();
                match list.as_slice() {
                    [] => json!(0),
                    [wait] if self.jitter == 0.0 => json!(wait),
                    _ if self.jitter == 0.0 => json!(list),
                    _ => json!({"list": list, "jitter": jitter}),
                }
            }
        }
    }

    /// Refuses what no job could carry.
    pub(crate) fn check(&self, name: &str) -> Result<()> {
        match &self.wait {
            Wait::Growing { first, factor, most } => {
                check::span_ms(whole_ms(first), &format!("{name}.first"))?;
                check::span_ms(whole_ms(most), &format!("{name}.most"))?;
                if *factor > MOST_FACTOR {
                    return Err(Error::invalid(format!("{name}.factor {factor} is outside 1..{MOST_FACTOR}")));
                }
                Ok(())
            }
            Wait::Listed(waits) => {
                check_count(waits.len(), name)?;
                waits
                    .iter()
                    .enumerate()
                    .try_for_each(|(at, wait)| check::span_ms(whole_ms(wait), &format!("{name}[{at}]")))
            }
        }
    }

    /// The wait after so many errors, at least 1. `draw`: any 16 random bits, which choose the jitter.
    pub(crate) fn delay(&self, errors: u32, draw: u16) -> Duration {
        let wait = match &self.wait {
            Wait::Listed(waits) => {
                let at = (errors as usize - 1).min(waits.len().saturating_sub(1));
                waits.get(at).copied().unwrap_or_default().as_secs_f64()
            }
            Wait::Growing { first, .. } if first.is_zero() => 0.0,
            Wait::Growing { first, factor, most } => {
                let steps = i32::try_from(errors - 1).unwrap_or(i32::MAX);
                // Too large a number is infinite, and so more than the most.
                (first.as_secs_f64() * factor.powi(steps)).min(most.as_secs_f64())
            }
        };
        let moved = 1.0 + self.jitter * (f64::from(draw) / f64::from(u16::MAX) * 2.0 - 1.0);
        Duration::try_from_secs_f64(wait * moved).unwrap_or_default()
    }
}

fn take_list(text: &str, path: &str) -> Result<Vec<Duration>> {
    let waits: Vec<i64> = serde_json::from_str(text)
        .map_err(|_| Error::invalid(format!("{path} {text} is not a list of whole milliseconds")))?;
    if waits.is_empty() {
        return Err(Error::invalid(format!("{path} is an empty list")));
    }
    check_count(waits.len(), path)?;
    waits.into_iter().enumerate().map(|(at, ms)| span(ms, &format!("{path}[{at}]"))).collect()
}

fn check_count(count: usize, name: &str) -> Result<()> {
    if count > MOST_WAITS {
        return Err(Error::invalid(format!("{name} has {count} entries, at most {MOST_WAITS} are allowed")));
    }
    Ok(())
}

fn span(ms: i64, name: &str) -> Result<Duration> {
    check::span_ms(ms, name).map(|()| Duration::from_millis(ms as u64))
}

/// A whole number without a point, as every language writes it.
fn number(value: f64) -> Json {
    if value.fract() == 0.0 { json!(value as i64) } else { json!(value) }
}

fn whole_ms(span: &Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: Duration = Duration::from_secs(1);
    const MIDDLE: u16 = u16::MAX / 2;

    #[test]
    fn waits_are_fixed_listed_or_grow() {
        let of = |backoff: &Backoff| [1, 2, 3, 4, u32::MAX].map(|errors| backoff.delay(errors, MIDDLE));
        assert_eq!(of(&Backoff::fixed(S * 3)), [S * 3; 5]);
        assert_eq!(of(&Backoff::list([S, S * 10])), [S, S * 10, S * 10, S * 10, S * 10]);
        assert_eq!(of(&Backoff::list([])), [Duration::ZERO; 5]);
        let growing = Backoff::exponential(S).jitter(0.0);
        assert_eq!(of(&growing), [S, S * 2, S * 4, S * 8, S * 3_600]);
        assert_eq!(of(&growing.growing(3.0, S * 20)), [S, S * 3, S * 9, S * 20, S * 20]);
        assert_eq!(of(&Backoff::exponential(Duration::ZERO)), [Duration::ZERO; 5]);
    }

    #[test]
    fn jitter_moves_by_its_share() {
        let backoff = Backoff::fixed(S * 10).jitter(0.2);
        assert_eq!((backoff.delay(1, 0), backoff.delay(1, u16::MAX)), (S * 8, S * 12));
        let backoff = Backoff::fixed(S).jitter(7.0);
        assert_eq!((backoff.delay(1, 0), backoff.delay(1, u16::MAX)), (Duration::ZERO, S * 2));
    }
    fn taken(json: &str) -> Result<Option<Backoff>> {
        Backoff::take(&mut Fields::parse(&format!("{{\"backoff_ms\":{json}}}"), "options").unwrap(), "backoff_ms")
    }

    #[test]
    fn what_is_written_as_json_is_read_again() {
        let growing = Backoff::exponential(S).growing(1.5, S * 60);
        let listed = Backoff::list([S, S * 2]);
        for (backoff, json) in [
            (Backoff::fixed(S), "1000"),
            (listed.clone(), "[1000,2000]"),
            (listed.jitter(0.5), r#"{"list":[1000,2000],"jitter":0.5}"#),
            (growing, r#"{"first":1000,"factor":1.5,"most":60000,"jitter":0.1}"#),
            (Backoff::default().jitter(f64::NAN), r#"{"first":1000,"factor":2,"most":3600000,"jitter":0}"#),
        ] {
            assert_eq!(backoff.value(), serde_json::from_str::<Json>(json).unwrap());
            assert_eq!(taken(json).unwrap(), Some(backoff));
        }
        assert_eq!(Backoff::list([]).to_json(), "0");
    }

    #[test]
    fn what_no_job_could_carry_is_refused_by_name() {
        let refused = |backoff: Backoff| backoff.check("backoff_ms").unwrap_err().message;
        assert_eq!(refused(Backoff::list([S; 65])), "backoff_ms has 65 entries, at most 64 are allowed");
        assert_eq!(
            refused(Backoff::list([S, Duration::MAX])),
            format!("backoff_ms[1] {} is outside 0..3155760000000", i64::MAX)
        );
        assert_eq!(refused(Backoff::exponential(S).growing(1e9, S)), "backoff_ms.factor 1000000000 is outside 1..1000");
        let read = |json| taken(json).unwrap_err().message;
        assert_eq!(read(r#"{"list":[]}"#), "options.backoff_ms.list is an empty list");
        assert_eq!(read(r#"{"list":[1],"first":2}"#), "options.backoff_ms.first is unknown");
        assert_eq!(read(&json!(vec![1; 65]).to_string()), "options.backoff_ms has 65 entries, at most 64 are allowed");
    }

    #[test]
    fn without_a_word_it_doubles_from_one_second_to_one_hour() {
        let middle = |errors| Backoff::default().delay(errors, MIDDLE).as_millis().div_ceil(100) * 100;
        assert_eq!([1, 2, 3, 4].map(middle), [1_000, 2_000, 4_000, 8_000]);
        assert_eq!([13, 61, u32::MAX].map(middle), [3_600_000; 3]);
        let moved = |draw| Backoff::default().delay(1, draw).as_millis();
        assert_eq!((moved(0), moved(u16::MAX)), (900, 1_100));
    }
}
