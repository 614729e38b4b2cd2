//! Records what one terminal hears in the terminal's journal.

use std::sync::Arc;

use super::LiveCounters;
use crate::{
    adapter::{Content, CopyId, Heard},
    clock::Nanos,
    journal::{Anomaly, Journal, Received},
    message::{self, Decoded},
};

/// Records what one terminal hears.
#[derive(Clone)]
pub struct FrameReceiver {
    /// The terminal's number in the plan.
    pub number: usize,
    /// The run's random id, which each message of the run carries.
    pub run: u32,
    /// Whether messages are sent as binary frames; otherwise as texts.
    pub binary: bool,
    /// The number of messages in the plan. A message with a greater sequence number is recorded as a phantom.
    pub messages: usize,
    /// The journal that receives the records.
    pub journal: Arc<Journal>,
    /// The counters for the progress display.
    pub live: Arc<LiveCounters>,
}

impl FrameReceiver {
    /// Records what was heard at `at`.
    pub fn heard(&self, heard: &Heard<'_>, at: Nanos) {
        match heard {
            Heard::Payload(content, copy) => self.message(content, *copy, at),
            Heard::Gap => self.journal.terminal(self.number).gaps.push(at),
            Heard::Greeting => self.odd(Anomaly::Foreign, at),
            Heard::Malformed => self.odd(Anomaly::Corrupt, at),
            Heard::Complaint => self.odd(Anomaly::Complaint, at),
            // A server may say again that the terminal is ready. The rest is about the connection.
            Heard::Ready(_) | Heard::Reply(_) | Heard::Refused(_) | Heard::Published(..) => {}
        }
    }

    /// Records a message. A message that came in a frame of another kind than it was sent in counts as delivered, but
    /// not as what was sent.
    fn message(&self, content: &Content<'_>, copy: CopyId, at: Nanos) {
        let (text, is_binary) = match content {
            Content::Text(text) => (&**text, false),
            Content::Binary(bytes) => (str::from_utf8(bytes).unwrap_or_default(), true),
        };
        let header = match message::decode(text) {
            Decoded::Whole(header) => header,
            Decoded::Corrupt => return self.odd(Anomaly::Corrupt, at),
            Decoded::Foreign => return self.odd(Anomaly::Foreign, at),
        };
        if header.run != self.run {
            return self.odd(Anomaly::OtherRun, at);
        }
        if header.seq >= self.messages as u64 {
            return self.odd(Anomaly::Phantom, at);
        }
        self.live.arrived(at.saturating_sub(header.due.saturating_sub(self.journal.clock.zero())));
        let received = Received { message: header.seq as u32, copy, at };
        let mut log = self.journal.terminal(self.number);
        if is_binary == self.binary { log.arrivals.push(received) } else { log.binary.push(received) }
    }

    fn odd(&self, odd: Anomaly, at: Nanos) {
        self.journal.terminal(self.number).odd.push((odd, at));
    }
}
