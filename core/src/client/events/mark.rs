//! What was told while a connection was away: what the stream has after the last event that was heard.

use std::time::Instant;

use super::event::JobEvent;
use super::options::EventsOptions;
use super::stream::{BEGIN, End, Entry, PAGE};
use crate::client::fault::Fault;

/// How far a connection has heard.
pub(super) struct Mark {
    /// Where the stream ended when it began to listen; None: no stream was kept, or not for this login.
    end: Option<End>,
    last: Option<Last>,
    /// All that was told before has come.
    sure_at: Instant,
}

/// The last event that was pushed since then and is in the stream too.
struct Last {
    /// As it was told; to keep that costs nothing.
    told: String,
    at_ms: i64,
    /// Which one of its millisecond: what happens to a job twice in one looks the same.
    nth: usize,
}

/// What was told while no connection listened, and whether that is all.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Meanwhile {
    pub events: Vec<JobEvent>,
    pub whole: bool,
}

/// What was read of the stream, the last first.
struct Read {
    events: Vec<JobEvent>,
    entries: u64,
    /// When the oldest of them was added, by the server's clock.
    oldest_ms: Option<i64>,
    /// One of them is of the millisecond of the last event.
    reached: bool,
    /// False when one of them tells a worker less than its channel did.
    as_told: bool,
}

impl Mark {
    /// A connection listens, and was told where the stream ends; it was asked at this moment.
    pub fn new(end: Option<End>, asked_at: Instant) -> Mark {
        Mark { end, last: None, sure_at: asked_at }
    }

    /// An event was pushed, and told like this.
    pub fn pass(&mut self, event: &JobEvent, told: String) {
        if event.event == "cancelled" && event.worker.is_some() {
            // So a worker is told of it. The stream has it only as all others are told.
            return;
        }
        let nth = self.last.as_ref().filter(|last| last.at_ms == event.at_ms).map_or(0, |last| last.nth);
        self.last = Some(Last { told, at_ms: event.at_ms, nth: nth + 1 });
    }

    /// The server has answered what it was asked at this moment.
    pub fn answered(&mut self, asked_at: Instant) {
        self.sure_at = asked_at;
    }

    /// What was told after this mark, up to where the stream ends `now`. `page` reads the entries up to an id and after
    /// another, the last first, or None when that is refused.
    pub fn meanwhile(
        &self,
        now: Option<&End>,
        options: &EventsOptions,
        page: impl FnMut(&str, &str) -> Result<Option<Vec<Entry>>, Fault>,
    ) -> Result<Meanwhile, Fault> {
        let nothing = Meanwhile { events: Vec::new(), whole: false };
        let Some(now) = now.filter(|_| self.end.is_some() || self.last.is_some()) else { return Ok(nothing) };
        let Some(mut read) = self.read_back(now, options, page)? else { return Ok(nothing) };
        // What was told before was heard, whether the stream still has it or not.
        let reaches_back = read.oldest_ms.is_some_and(|oldest_ms| oldest_ms < self.sure_ms(now));
        let whole = match (&self.last, &self.end) {
            (Some(last), _) => last.cut(&mut read.events) || (!read.reached && reaches_back),
            (None, Some(end)) => now.added.checked_sub(end.added) == Some(read.entries) || reaches_back,
            (None, None) => false,
        };
        read.events.reverse();
        Ok(Meanwhile { events: read.events, whole: whole && read.as_told })
    }

    /// Reads back through the millisecond of the last event, at most to where the connection began to listen.
    fn read_back(
        &self,
        now: &End,
        options: &EventsOptions,
        mut page: impl FnMut(&str, &str) -> Result<Option<Vec<Entry>>, Fault>,
    ) -> Result<Option<Read>, Fault> {
        let after = self.end.as_ref().map_or(BEGIN, |end| &end.id);
        let mut until = now.id.clone();
        let sure_ms = self.sure_ms(now);
        let mut read = Read { events: Vec::new(), entries: 0, oldest_ms: None, reached: false, as_told: true };
        loop {
            let Some(entries) = page(&until, after)? else { return Ok(None) };
            let next = entries.last().filter(|_| entries.len() == PAGE).map(|entry| format!("({}", entry.id));
            for entry in entries {
                read.entries += 1;
                read.oldest_ms = entry.at_ms();
                let Some(event) = entry.event else { continue };
                let with_last = self.last.as_ref().is_some_and(|last| last.at_ms == event.at_ms);
                if read.reached && !with_last {
                    return Ok(Some(read));
                }
                read.reached |= with_last;
                read.as_told &= options.hears_as_kept(&event) || read.oldest_ms.is_some_and(|at_ms| at_ms < sure_ms);
                let times = options.times_heard(&event);
                read.events.extend(std::iter::repeat_n(event, times));
            }
            match next {
                Some(next) => until = next,
                None => return Ok(Some(read)),
            }
        }
    }

    /// When the connection was last known to be whole, by the server's clock.
    fn sure_ms(&self, now: &End) -> i64 {
        now.at_ms.saturating_sub_unsigned(self.sure_at.elapsed().as_millis() as u64)
    }
}

impl Last {
    /// Cuts off this event and those before it; the last event is the first. False when it is not there.
    fn cut(&self, events: &mut Vec<JobEvent>) -> bool {
        let itself = JobEvent::read(&self.told);
        let with_it = events.iter().rev().take_while(|event| event.at_ms == self.at_ms).count();
        let place = events.len().checked_sub(self.nth).filter(|_| self.nth <= with_it);
        if let Some(place) = place.filter(|place| events.get(*place) == itself.as_ref()) {
            events.truncate(place);
            return true;
        }
        // The stream has lost it, or never had it. What is of its millisecond is later, unless there is one that looks like it.
        let alike = events.iter().any(|event| Some(event) == itself.as_ref());
        events.retain(|event| event.at_ms > self.at_ms || (event.at_ms == self.at_ms && !alike));
        false
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// By the server's clock, when the last connection asked where the stream ends.
    const BEGUN_MS: i64 = 1_000_000;

    fn event(name: &str, jid: usize, at_ms: i64) -> JobEvent {
        let worker = (name == "lost" || name == "stalled").then(|| "w".to_owned());
        let (queue, kind) = ("q".to_owned(), "k".to_owned());
        JobEvent { event: name.to_owned(), jid: jid.to_string(), queue, kind, worker, at_ms }
    }

    fn puts(jids: std::ops::Range<usize>) -> Vec<JobEvent> {
        jids.map(|jid| event("put", jid, BEGUN_MS + jid as i64 / 3)).collect()
    }

    fn end(added: usize, at_ms: i64) -> End {
        End { id: format!("{BEGUN_MS}-{added}"), added: added as u64, at_ms }
    }

    /// A connection that has heard these, and began when the stream had had 10 entries.
    fn heard(events: &[JobEvent]) -> Mark {
        let mut mark = Mark::new(Some(end(10, BEGUN_MS)), Instant::now());
        events.iter().for_each(|event| mark.pass(event, event.to_json()));
        mark
    }

    /// What is found out of a stream that has these after its first 10 entries, of which it has lost `lost`.
    fn meanwhile(mark: &Mark, options: &str, stream: &[JobEvent], lost: usize) -> Meanwhile {
        let number = |id: &str| id.split_once('-').map_or(0, |(_, number)| number.parse().unwrap());
        let page = |until: &str, after: &str| {
            let up_to = number(until) - usize::from(until.starts_with('('));
            let entry = |at: usize| Entry { id: format!("{BEGUN_MS}-{}", at + 11), event: Some(stream[at].clone()) };
            let from = number(after).saturating_sub(10).max(lost);
            Ok(Some((from..up_to - 10).rev().take(PAGE).map(entry).collect()))
        };
        let now = end(10 + stream.len(), BEGUN_MS);
        mark.meanwhile(Some(&now), &EventsOptions::parse(options).unwrap(), page).unwrap()
    }

    fn whole(events: &[JobEvent]) -> Meanwhile {
        Meanwhile { events: events.to_vec(), whole: true }
    }

    #[test]
    fn what_came_after_the_last_event_is_found_over_pages_and_within_a_millisecond() {
        let said = puts(0..3 * PAGE);
        for count in [0, 1, 2, 3, 4, PAGE - 1, PAGE, 2 * PAGE + 1, 3 * PAGE] {
            let (before, after) = said.split_at(count);
            assert_eq!(meanwhile(&heard(before), "", &said, 0), whole(after), "{count}");
            let lost = count.saturating_sub(3);
            assert_eq!(meanwhile(&heard(before), "", &said, lost), whole(after), "{count}");
        }
    }

    #[test]
    fn what_happens_twice_in_a_millisecond_is_told_twice() {
        let said = [event("put", 1, 5), event("cancelled", 1, 5), event("put", 1, 5), event("cancelled", 1, 5)];
        for count in 0..=4 {
            assert_eq!(meanwhile(&heard(&said[..count]), "", &said, 0), whole(&said[count..]));
        }
    }

    #[test]
    fn only_what_is_listened_to_is_told_as_often_as_by_push() {
        let said = [event("put", 1, 5), event("stalled", 1, 6), event("lost", 1, 7), event("waiting", 1, 7)];
        let told = |options, indexes: &[usize]| {
            let events: Vec<JobEvent> = indexes.iter().map(|index| said[*index].clone()).collect();
            for count in 0..=events.len() {
                assert_eq!(
                    meanwhile(&heard(&events[..count]), options, &said, 0),
                    whole(&events[count..]),
                    "{options}"
                );
            }
        };
        told("", &[0, 1, 3]);
        told(r#"{"what":["*"],"worker":"w"}"#, &[0, 1, 1, 2, 3]);
        told(r#"{"what":["*"],"worker":"v"}"#, &[0, 1, 3]);
        told(r#"{"worker":"w"}"#, &[1, 2]);
        told(r#"{"what":["waiting","failed"]}"#, &[3]);
    }

    #[test]
    fn a_worker_may_have_been_told_of_a_cancelled_job() {
        let said = [event("put", 1, 5), event("cancelled", 1, 6)];
        assert!(!meanwhile(&heard(&[]), r#"{"worker":"w"}"#, &said, 0).whole);
        assert!(meanwhile(&heard(&[]), r#"{"what":["cancelled"]}"#, &said, 0).whole);
        let news = JobEvent { worker: Some("w".to_owned()), ..event("cancelled", 1, 6) };
        let mark = heard(&[said[0].clone(), said[1].clone(), news]);
        assert_eq!(meanwhile(&mark, "", &said, 0), whole(&[]));
    }

    #[test]
    fn a_stream_that_has_lost_some_is_not_whole() {
        let said = puts(0..100);
        let rest = |from: usize| Meanwhile { events: said[from..].to_vec(), whole: false };
        assert_eq!(meanwhile(&heard(&[]), "", &said, 30), rest(30));
        assert_eq!(meanwhile(&heard(&said[..10]), "", &said, 30), rest(30));
        assert_eq!(meanwhile(&heard(&[event("put", 0, BEGUN_MS + 20)]), "", &said, 0), rest(60));
        assert_eq!(meanwhile(&heard(&said[..2]), "", &said, 1), rest(3));
    }

    #[test]
    fn a_stream_that_reaches_back_to_the_break_is_whole() {
        let said = puts(0..100);
        let mut mark = heard(&said[..10]);
        // The server answered 1 s after the entries were added, the last of a long silence.
        mark.answered(Instant::now().checked_sub(Duration::from_secs(1)).unwrap());
        let now = End { at_ms: BEGUN_MS + 2001, ..end(110, 0) };
        let kept =
            |at: usize| Entry { id: format!("{BEGUN_MS}-{}", at + 11), event: Some(event("failed", at, at as i64)) };
        let page = |_: &str, _: &str| Ok(Some((50..60).rev().map(kept).collect()));
        let options = EventsOptions::parse(r#"{"what":["put"]}"#).unwrap();
        assert_eq!(mark.meanwhile(Some(&now), &options, page).unwrap(), whole(&[]));
        let a_worker = EventsOptions::parse(r#"{"worker":"w"}"#).unwrap();
        let cancelled = |id: &str, at| Entry { id: format!("{id}-0"), event: Some(event("cancelled", at, at as i64)) };
        let heard_of = |_: &str, _: &str| Ok(Some(vec![cancelled("1000000", 1)]));
        assert_eq!(mark.meanwhile(Some(&now), &a_worker, heard_of).unwrap(), whole(&[]));
        let unheard_of = |_: &str, _: &str| Ok(Some(vec![cancelled("1001900", 2), cancelled("1000000", 1)]));
        assert!(!mark.meanwhile(Some(&now), &a_worker, unheard_of).unwrap().whole);
        let now = End { at_ms: BEGUN_MS + 999, ..now };
        assert!(!mark.meanwhile(Some(&now), &options, page).unwrap().whole);
    }

    #[test]
    fn without_a_stream_nothing_is_known() {
        let nothing = Meanwhile { events: Vec::new(), whole: false };
        let said = puts(0..10);
        assert_eq!(heard(&said).meanwhile(None, &EventsOptions::default(), |_, _| Ok(None)).unwrap(), nothing);
        assert_eq!(meanwhile(&Mark::new(None, Instant::now()), "", &said, 0), nothing);
        let mut mark = Mark::new(None, Instant::now());
        said[..4].iter().for_each(|event| mark.pass(event, event.to_json()));
        assert_eq!(meanwhile(&mark, "", &said, 0), whole(&said[4..]));
        let refused = mark.meanwhile(Some(&end(20, 0)), &EventsOptions::default(), |_, _| Ok(None));
        assert_eq!(refused.unwrap(), nothing);
    }
}
