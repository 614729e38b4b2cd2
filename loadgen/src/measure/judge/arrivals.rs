//! Gives each frame that was read its reason. The first delivery of a message gets its reason when the judge decides
//! whether it was owed.

use super::{Judge, JudgedTerminal, SeenMessages, TerminalCase, state::FirstArrival};
use crate::{
    clock::Nanos,
    journal::Anomaly,
    measure::{FaultKind, Tally},
};

impl Judge {
    /// Judges one frame with a message. Frames must be judged in the order of time.
    pub(super) fn arrival(
        &self,
        tally: &mut Tally,
        case: &TerminalCase,
        state: &mut JudgedTerminal,
        seen: &mut SeenMessages,
        frame: FirstArrival,
    ) {
        let (number, at) = (frame.received.message as usize, frame.received.at);
        tally.frames.read += 1;
        tally.timeline.step(at).received += 1;
        state.silence.heard(&self.plan, &case.planned.stays, at);
        let planned = self.plan.messages[number];
        let sent = self.journal.sent(number);
        let Some(sent) = sent.as_ref() else {
            tally.frames.phantom += 1;
            return self.fault(tally, case, FaultKind::Phantom, Some(number), at);
        };
        if planned.to.is_some_and(|to| to as usize != case.number) {
            tally.frames.misdelivered += 1;
            return self.fault(tally, case, FaultKind::Misdelivered, Some(number), at);
        }
        if at < sent.at {
            self.fault(tally, case, FaultKind::BeforeSent, Some(number), at);
        }
        let stream = usize::from(planned.to.is_some());
        tally.reorder.wire += u64::from(state.wire[stream].overtaken(sent.at, sent.accepted()) > 0);
        if seen.has(state, number) {
            if seen.again(state, frame.received) && self.repeats {
                tally.frames.dup_wire += 1;
            } else {
                tally.frames.dup_app += 1;
                self.fault(tally, case, FaultKind::DupApp, Some(number), at);
            }
            return;
        }
        seen.add(state, frame);
        if frame.binary {
            self.fault(tally, case, FaultKind::OtherKind, Some(number), at);
        }
        let overtaken = state.app[stream].overtaken(sent.at, sent.accepted());
        if overtaken > 0 {
            tally.reorder.app += 1;
            tally.reorder.displacement = tally.reorder.displacement.max(overtaken);
            self.fault(tally, case, FaultKind::Reordered, Some(number), at);
        }
    }

    /// Counts a frame that holds no message which can be judged.
    pub(super) fn odd(&self, tally: &mut Tally, case: &TerminalCase, odd: Anomaly, at: Nanos) {
        let frames = &mut tally.frames;
        let (count, fault) = match odd {
            Anomaly::Corrupt => (&mut frames.corrupt, Some(FaultKind::Corrupt)),
            Anomaly::Phantom => (&mut frames.phantom, Some(FaultKind::Phantom)),
            Anomaly::OtherRun => (&mut frames.other_run, None),
            Anomaly::Foreign => (&mut frames.foreign, None),
            Anomaly::Complaint => {
                *tally.other.entry("complaints of nodes".into()).or_default() += 1;
                return;
            }
        };
        *count += 1;
        frames.read += 1;
        if let Some(kind) = fault {
            self.fault(tally, case, kind, None, at);
        }
    }
}
