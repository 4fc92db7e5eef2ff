//! Hears what the engine tells: its channels, on a connection of its own, and its stream.

use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use redis::{Client, Connection};
use serde_json::Value as Json;

use crate::events::{self, Event};

const CHANNELS: [&str; 2] = ["{mh}:event:*", "{mh}:worker-event:*"];
/// Heard here, everything told before it has been.
const MARK: &str = "{mh}:event:mark";
/// Where what is read from the stream is taken to come from.
const STREAM: &str = "the stream";
/// Longer than any message takes.
const PATIENCE: Duration = Duration::from_secs(10);

pub struct Listener {
    heard: Receiver<(String, String)>,
    /// The last entry of the stream that was read.
    last: String,
}

impl Listener {
    pub fn open(client: &Client) -> Listener {
        let mut connection = client.get_connection().expect("the server is there");
        let (sender, heard) = channel();
        let (ready, subscribed) = channel();
        std::thread::spawn(move || {
            let mut subscription = connection.as_pubsub();
            subscription.psubscribe(&CHANNELS[..]).expect("the server takes subscriptions");
            let _ = ready.send(());
            while let Ok(message) = subscription.get_message() {
                let (channel, text) = (message.get_channel_name().to_owned(), message.get_payload());
                if sender.send((channel, text.unwrap_or_default())).is_err() {
                    break;
                }
            }
        });
        subscribed.recv().expect("the subscription is there");
        Listener { heard, last: "0".to_owned() }
    }

    /// Everything was flushed; what a sequence told before, nobody wants to hear.
    pub fn begin(&mut self, connection: &mut Connection) {
        self.channels(connection);
        self.last = "0".to_owned();
    }

    /// Whether the engine told what was to be told since the last time, and keeps it in its stream if it has to.
    pub fn compare(&mut self, connection: &mut Connection, expected: &[Event], all: bool) -> Result<(), String> {
        let heard = self.channels(connection);
        events::agree(expected, &heard).map_err(|problem| format!("events\n{problem}"))?;
        let expected: Vec<_> = expected.iter().filter(|_| all).filter_map(|event| event.kept_in(STREAM)).collect();
        events::agree(&expected, &self.stream(connection)).map_err(|problem| format!("stream of events\n{problem}"))
    }

    fn channels(&mut self, connection: &mut Connection) -> Vec<(String, Json)> {
        let listeners: i64 = redis::cmd("PUBLISH").arg(MARK).arg("").query(connection).expect("the mark is published");
        assert_eq!(listeners, 1, "the listener is subscribed");
        let next = || self.heard.recv_timeout(PATIENCE).expect("the mark is heard");
        let told = std::iter::repeat_with(next).take_while(|(channel, _)| channel != MARK);
        told.map(|(channel, text)| (channel.replacen("{mh}:", "", 1), parsed(&text))).collect()
    }

    fn stream(&mut self, connection: &mut Connection) -> Vec<(String, Json)> {
        let entries: Vec<(String, Vec<(String, String)>)> = redis::cmd("XRANGE")
            .arg("{mh}:events")
            .arg(format!("({}", self.last))
            .arg("+")
            .query(connection)
            .expect("the stream is read");
        if let Some((id, _)) = entries.last() {
            self.last.clone_from(id);
        }
        let fields = entries.into_iter().flat_map(|(_, fields)| fields);
        fields.map(|(name, text)| (if name == "event" { STREAM.to_owned() } else { name }, parsed(&text))).collect()
    }
}

fn parsed(text: &str) -> Json {
    serde_json::from_str(text).unwrap_or_else(|_| text.into())
}
