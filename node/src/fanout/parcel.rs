//! A command, encoded once for every socket it goes to; and a batch, which is what goes to a socket in one write.

use std::{rc::Rc, sync::Arc};

use bytes::Bytes;
use jiff::Timestamp;
use muster_protocol::{CommandId, api::Protocol, frame};

use crate::wire;

/// Frames that have piled up are joined into one write up to this size: beyond it a write costs by the byte and not by the
/// call, and a socket's send buffer may not take it whole.
const BATCH_MAX: usize = 64 * 1024;

/// A command as frames, one for each protocol.
#[derive(Debug)]
pub struct Parcel {
    /// Which command.
    pub command: CommandId,
    /// Its place in the order of all commands; by it a session knows what it has had already.
    pub number: u64,
    /// After when it is not sent any more.
    pub expires_at: Timestamp,
    v1: Bytes,
    plain: Bytes,
}

impl Parcel {
    /// Encodes a command.
    pub fn new(number: u64, command: frame::Command) -> Self {
        let plain = wire::text(&command.payload.plain_text());
        let (id, expires_at) = (command.id, command.expires_at);
        Self { command: id, number, expires_at, v1: wire::text(&frame::FromNode::Command(command).to_string()), plain }
    }

    fn bytes(&self, protocol: Protocol) -> &Bytes {
        match protocol {
            Protocol::V1 => &self.v1,
            Protocol::Plain => &self.plain,
        }
    }
}

/// Where a command's frame ends within a batch.
#[derive(Debug, Clone, Copy)]
struct Mark {
    end: usize,
    command: CommandId,
    number: u64,
    expires_at: Timestamp,
}

impl Mark {
    fn new(end: usize, parcel: &Parcel) -> Self {
        Self { end, command: parcel.command, number: parcel.number, expires_at: parcel.expires_at }
    }
}

/// One or several frames, back to back.
#[derive(Debug, Clone)]
pub struct Batch {
    /// As they go on the wire.
    pub bytes: Bytes,
    marks: Rc<[Mark]>,
}

impl Batch {
    /// A frame that belongs to no command.
    pub fn bare(bytes: Bytes) -> Self {
        Self { bytes, marks: Rc::new([]) }
    }

    /// The frames of these parcels in as few batches as the size limit allows; one parcel alone is not copied.
    pub fn of(parcels: &[Arc<Parcel>], protocol: Protocol) -> Vec<Self> {
        let mut batches = Vec::new();
        let mut rest = parcels;
        while !rest.is_empty() {
            let (now, later) = rest.split_at(fitting(rest, protocol));
            batches.push(Self::join(now, protocol));
            rest = later;
        }
        batches
    }

    fn join(parcels: &[Arc<Parcel>], protocol: Protocol) -> Self {
        if let [parcel] = parcels {
            let bytes = parcel.bytes(protocol).clone();
            let mark = Mark::new(bytes.len(), parcel);
            return Self { bytes, marks: Rc::new([mark]) };
        }
        let mut bytes = Vec::new();
        let mut marks = Vec::with_capacity(parcels.len());
        for parcel in parcels {
            bytes.extend_from_slice(parcel.bytes(protocol));
            marks.push(Mark::new(bytes.len(), parcel));
        }
        Self { bytes: bytes.into(), marks: marks.into() }
    }

    /// What follows the commands up to `number`, if anything; what belongs to no command follows them all.
    pub fn after(&self, number: u64) -> Option<Self> {
        let had = self.marks.iter().take_while(|mark| mark.number <= number).count();
        let Some(last) = had.checked_sub(1) else { return Some(self.clone()) };
        let start = self.marks[last].end;
        let rest = self.marks[had..].iter().map(|mark| Mark { end: mark.end - start, ..*mark });
        (had < self.marks.len()).then(|| Self { bytes: self.bytes.slice(start..), marks: rest.collect() })
    }

    /// What has not expired by now, if anything: asked for what had to wait.
    pub fn fresh(self, now: Timestamp) -> Option<Self> {
        if self.marks.iter().all(|mark| mark.expires_at > now) {
            return Some(self);
        }
        let (mut bytes, mut marks, mut start) = (Vec::new(), Vec::new(), 0);
        for mark in self.marks.iter() {
            if mark.expires_at > now {
                bytes.extend_from_slice(&self.bytes[start..mark.end]);
                marks.push(Mark { end: bytes.len(), ..*mark });
            }
            start = mark.end;
        }
        (!marks.is_empty()).then(|| Self { bytes: bytes.into(), marks: marks.into() })
    }

    /// The commands whose frames end after `from` bytes and not after `to`.
    pub fn commands(&self, from: usize, to: usize) -> impl Iterator<Item = CommandId> + '_ {
        self.marks.iter().filter(move |mark| from < mark.end && mark.end <= to).map(|mark| mark.command)
    }
}

/// How many of the first parcels fit into a batch; at least one.
fn fitting(parcels: &[Arc<Parcel>], protocol: Protocol) -> usize {
    let mut size = 0;
    let fits = |parcel: &&Arc<Parcel>| {
        size += parcel.bytes(protocol).len();
        size <= BATCH_MAX
    };
    parcels.iter().take_while(fits).count().max(1)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use muster_protocol::Payload;
    use uuid::Uuid;

    use super::*;

    fn parcel(number: u64, text: &str) -> Arc<Parcel> {
        let command = frame::Command {
            id: CommandId(Uuid::now_v7()),
            name: "show".into(),
            payload: Payload::from_text(text),
            expires_at: Timestamp::now() + Duration::from_secs(60),
            cursor: None,
            stagger_ms: None,
        };
        Arc::new(Parcel::new(number, command))
    }

    #[test]
    fn what_has_piled_up_is_one_write_that_knows_its_commands() {
        let parcels = [parcel(7, "one"), parcel(8, "three")];
        let [batch] = &Batch::of(&parcels, Protocol::Plain)[..] else { panic!("not one batch") };
        assert_eq!(&batch.bytes[..], b"\x81\x03one\x81\x05three");
        assert_eq!(batch.commands(0, 5).collect::<Vec<_>>(), [parcels[0].command]);
        assert_eq!(batch.commands(0, 11).count(), 1);
        assert_eq!(batch.commands(5, 12).collect::<Vec<_>>(), [parcels[1].command]);
    }

    #[test]
    fn what_a_session_has_had_is_cut_off() {
        let parcels = [parcel(7, "one"), parcel(8, "three")];
        let batch = &Batch::of(&parcels, Protocol::Plain)[0];
        assert_eq!(batch.after(6).unwrap().bytes, batch.bytes);
        let rest = batch.after(7).unwrap();
        assert_eq!((&rest.bytes[..], rest.commands(0, 7).collect()), (&b"\x81\x05three"[..], vec![parcels[1].command]));
        assert!(batch.after(8).is_none());
        assert!(Batch::bare(Bytes::from_static(b"ping")).after(u64::MAX).is_some());
    }

    #[test]
    fn what_expired_while_it_waited_is_left_out() {
        let now = Timestamp::now();
        let with_expiry = |number, text, seconds| {
            let mut parcel = Arc::into_inner(parcel(number, text)).unwrap();
            parcel.expires_at = now + Duration::from_secs(seconds);
            Arc::new(parcel)
        };
        let parcels = [with_expiry(1, "one", 10), with_expiry(2, "two", 1), with_expiry(3, "three", 10)];
        let batch = Batch::of(&parcels, Protocol::Plain).remove(0);
        let fresh = batch.clone().fresh(now + Duration::from_secs(5)).unwrap();
        assert_eq!(&fresh.bytes[..], b"\x81\x03one\x81\x05three");
        assert_eq!(fresh.commands(0, usize::MAX).collect::<Vec<_>>(), [parcels[0].command, parcels[2].command]);
        assert!(batch.fresh(now + Duration::from_secs(10)).is_none());
    }

    #[test]
    fn a_batch_keeps_to_its_size_and_loses_nothing() {
        let parcels: Vec<_> = (0..5).map(|number| parcel(number, &"x".repeat(30_000))).collect();
        let batches = Batch::of(&parcels, Protocol::Plain);
        assert!(batches.iter().all(|batch| batch.bytes.len() <= BATCH_MAX));
        let commands: Vec<_> = batches.iter().flat_map(|batch| batch.commands(0, usize::MAX)).collect();
        assert_eq!(commands, parcels.iter().map(|parcel| parcel.command).collect::<Vec<_>>());
        assert_eq!(Batch::of(&[parcel(1, &"x".repeat(100_000))], Protocol::Plain).len(), 1);
    }
}
