//! A write batch: the frames that go to a socket in one write.

use std::{rc::Rc, sync::Arc};

use bytes::Bytes;
use jiff::Timestamp;
use muster_protocol::{CommandId, api::Protocol};

use crate::wire::EncodedCommand;

/// Frames that have piled up are joined into one write of up to this many bytes. A larger write saves nothing, since
/// its cost is then that of its bytes and not that of the call, and the send buffer of a socket may not take it whole.
const BATCH_MAX: usize = 64 * 1024;

/// Where the frame of a command ends within a batch.
#[derive(Debug, Clone, Copy)]
struct FrameEnd {
    end: usize,
    command: CommandId,
    number: u64,
    expires_at: Timestamp,
}

impl FrameEnd {
    fn new(end: usize, encoded: &EncodedCommand) -> Self {
        Self { end, command: encoded.command, number: encoded.number, expires_at: encoded.expires_at }
    }
}

/// One or several frames, back to back.
#[derive(Debug, Clone)]
pub struct WriteBatch {
    /// The bytes of the frames.
    pub bytes: Bytes,
    frame_ends: Rc<[FrameEnd]>,
}

impl WriteBatch {
    /// Returns a batch with one frame that belongs to no command.
    pub fn bare(bytes: Bytes) -> Self {
        Self { bytes, frame_ends: Rc::new([]) }
    }

    /// Returns the frames of these commands, in as few batches as the size limit allows. A single command is not
    /// copied.
    pub fn of(commands: &[Arc<EncodedCommand>], protocol: Protocol) -> Vec<Self> {
        let mut batches = Vec::new();
        let mut rest = commands;
        while !rest.is_empty() {
            let (now, later) = rest.split_at(fitting(rest, protocol));
            batches.push(Self::join(now, protocol));
            rest = later;
        }
        batches
    }

    fn join(commands: &[Arc<EncodedCommand>], protocol: Protocol) -> Self {
        if let [encoded] = commands {
            let bytes = encoded.bytes(protocol).clone();
            let frame_end = FrameEnd::new(bytes.len(), encoded);
            return Self { bytes, frame_ends: Rc::new([frame_end]) };
        }
        let mut bytes = Vec::new();
        let mut frame_ends = Vec::with_capacity(commands.len());
        for encoded in commands {
            bytes.extend_from_slice(encoded.bytes(protocol));
            frame_ends.push(FrameEnd::new(bytes.len(), encoded));
        }
        Self { bytes: bytes.into(), frame_ends: frame_ends.into() }
    }

    /// Returns the part that follows the commands up to `number`, if there is any. A frame that belongs to no command
    /// follows all commands.
    pub fn after(&self, number: u64) -> Option<Self> {
        let had = self.frame_ends.iter().take_while(|frame_end| frame_end.number <= number).count();
        let Some(last) = had.checked_sub(1) else { return Some(self.clone()) };
        let start = self.frame_ends[last].end;
        let rest = self.frame_ends[had..].iter().map(|frame_end| FrameEnd { end: frame_end.end - start, ..*frame_end });
        (had < self.frame_ends.len()).then(|| Self { bytes: self.bytes.slice(start..), frame_ends: rest.collect() })
    }

    /// Returns the part up to the end of the frame that the first `sent` bytes cut in two. None if they cut no frame.
    pub fn begun(self, sent: usize) -> Option<Self> {
        let whole = self.frame_ends.iter().take_while(|frame_end| frame_end.end <= sent).count();
        let start = whole.checked_sub(1).map_or(0, |last| self.frame_ends[last].end);
        let end = self.frame_ends.get(whole).map_or(self.bytes.len(), |frame_end| frame_end.end);
        let frame_ends = self.frame_ends.iter().take(whole + 1).copied().collect();
        (start < sent && sent < end).then(|| Self { bytes: self.bytes.slice(..end), frame_ends })
    }

    /// Returns the part that has not expired at `now`, if there is any. Called for a batch that had to wait.
    pub fn fresh(self, now: Timestamp) -> Option<Self> {
        if self.frame_ends.iter().all(|frame_end| frame_end.expires_at > now) {
            return Some(self);
        }
        let (mut bytes, mut frame_ends, mut start) = (Vec::new(), Vec::new(), 0);
        for frame_end in self.frame_ends.iter() {
            if frame_end.expires_at > now {
                bytes.extend_from_slice(&self.bytes[start..frame_end.end]);
                frame_ends.push(FrameEnd { end: bytes.len(), ..*frame_end });
            }
            start = frame_end.end;
        }
        (!frame_ends.is_empty()).then(|| Self { bytes: bytes.into(), frame_ends: frame_ends.into() })
    }

    /// Returns the number of commands in the batch.
    pub fn count(&self) -> usize {
        self.frame_ends.len()
    }

    /// Returns the commands whose frames end after more than `from` bytes, and after at most `to` bytes.
    pub fn commands(&self, from: usize, to: usize) -> impl Iterator<Item = CommandId> + '_ {
        self.frame_ends
            .iter()
            .filter(move |frame_end| from < frame_end.end && frame_end.end <= to)
            .map(|frame_end| frame_end.command)
    }
}

/// Returns the number of commands that fit into one batch; at least one.
fn fitting(commands: &[Arc<EncodedCommand>], protocol: Protocol) -> usize {
    let mut size = 0;
    let fits = |encoded: &&Arc<EncodedCommand>| {
        size += encoded.bytes(protocol).len();
        size <= BATCH_MAX
    };
    commands.iter().take_while(fits).count().max(1)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use muster_protocol::{Payload, frame};
    use uuid::Uuid;

    use super::*;

    fn encoded(number: u64, text: &str) -> Arc<EncodedCommand> {
        let command = frame::Command {
            id: CommandId(Uuid::now_v7()),
            name: "show".into(),
            payload: Payload::from_text(text),
            expires_at: Timestamp::now() + Duration::from_secs(60),
            cursor: None,
            stagger_ms: None,
        };
        Arc::new(EncodedCommand::new(Default::default(), number, command))
    }

    #[test]
    fn what_has_piled_up_is_one_write_that_knows_its_commands() {
        let commands = [encoded(7, "one"), encoded(8, "three")];
        let [batch] = &WriteBatch::of(&commands, Protocol::Plain)[..] else { panic!("not one batch") };
        assert_eq!(&batch.bytes[..], b"\x81\x03one\x81\x05three");
        assert_eq!(batch.commands(0, 5).collect::<Vec<_>>(), [commands[0].command]);
        assert_eq!(batch.commands(0, 11).count(), 1);
        assert_eq!(batch.commands(5, 12).collect::<Vec<_>>(), [commands[1].command]);
    }

    #[test]
    fn what_a_session_has_had_is_cut_off() {
        let commands = [encoded(7, "one"), encoded(8, "three")];
        let batch = &WriteBatch::of(&commands, Protocol::Plain)[0];
        assert_eq!(batch.after(6).unwrap().bytes, batch.bytes);
        let rest = batch.after(7).unwrap();
        assert_eq!(
            (&rest.bytes[..], rest.commands(0, 7).collect()),
            (&b"\x81\x05three"[..], vec![commands[1].command])
        );
        assert!(batch.after(8).is_none());
        assert!(WriteBatch::bare(Bytes::from_static(b"ping")).after(u64::MAX).is_some());
    }

    #[test]
    fn a_frame_that_was_begun_ends_the_batch() {
        let commands = [encoded(7, "one"), encoded(8, "three"), encoded(9, "ten")];
        let batch = WriteBatch::of(&commands, Protocol::Plain).remove(0);
        for at_an_end in [0, 5, 12, 17] {
            assert!(batch.clone().begun(at_an_end).is_none(), "{at_an_end}");
        }
        let begun = batch.clone().begun(6).unwrap();
        assert_eq!(&begun.bytes[..], b"\x81\x03one\x81\x05three");
        assert_eq!(begun.commands(6, 12).collect::<Vec<_>>(), [commands[1].command]);
        assert_eq!(batch.begun(13).unwrap().bytes.len(), 17);
        assert_eq!(WriteBatch::bare(Bytes::from_static(b"ping")).begun(1).unwrap().bytes.len(), 4);
    }

    #[test]
    fn what_expired_while_it_waited_is_left_out() {
        let now = Timestamp::now();
        let with_expiry = |number, text, seconds| {
            let mut encoded = Arc::into_inner(encoded(number, text)).unwrap();
            encoded.expires_at = now + Duration::from_secs(seconds);
            Arc::new(encoded)
        };
        let commands = [with_expiry(1, "one", 10), with_expiry(2, "two", 1), with_expiry(3, "three", 10)];
        let batch = WriteBatch::of(&commands, Protocol::Plain).remove(0);
        let fresh = batch.clone().fresh(now + Duration::from_secs(5)).unwrap();
        assert_eq!(&fresh.bytes[..], b"\x81\x03one\x81\x05three");
        assert_eq!(fresh.commands(0, usize::MAX).collect::<Vec<_>>(), [commands[0].command, commands[2].command]);
        assert!(batch.fresh(now + Duration::from_secs(10)).is_none());
    }

    #[test]
    fn a_batch_keeps_to_its_size_and_loses_nothing() {
        let commands: Vec<_> = (0..5).map(|number| encoded(number, &"x".repeat(30_000))).collect();
        let batches = WriteBatch::of(&commands, Protocol::Plain);
        assert!(batches.iter().all(|batch| batch.bytes.len() <= BATCH_MAX));
        let sent: Vec<_> = batches.iter().flat_map(|batch| batch.commands(0, usize::MAX)).collect();
        assert_eq!(sent, commands.iter().map(|encoded| encoded.command).collect::<Vec<_>>());
        assert_eq!(WriteBatch::of(&[encoded(1, &"x".repeat(100_000))], Protocol::Plain).len(), 1);
    }
}
