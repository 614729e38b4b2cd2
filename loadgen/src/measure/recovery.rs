//! How terminals came back from connections that they lost, not by plan.

use super::{Tally, names, sums::Connections};
use crate::{
    clock::{Nanos, SECOND},
    journal::Lines,
    plan::Stay,
};

/// A terminal that is not ready so long after it should connect was not let in.
const LET_IN: Nanos = 15 * SECOND;

/// Adds one terminal's connections.
pub fn connections(tally: &mut Tally, stays: &[Stay], lines: &Lines, now: Nanos) {
    for (number, stay) in stays.iter().enumerate().filter(|(_, stay)| stay.from < now) {
        tally.connections.planned += 1;
        match lines.sessions.iter().find(|session| session.stay == number) {
            Some(first) => {
                tally.connections.made += 1;
                tally.latency(names::CONNECT).record(first.ready.saturating_sub(stay.from));
            }
            None if stay.to.min(now) > stay.from + LET_IN => {
                tally.connections.never += 1;
                tally.latency(names::CONNECT).missing += 1;
            }
            None => {}
        }
    }
    sessions(tally, stays, lines, now);
    tally.connections.failed += lines.failures.len() as u64;
    lines.failures.iter().for_each(|failure| tally.reason("attempt failed", &failure.why));
}

/// When each terminal that had lost its connection had the last of the messages that it missed, since the loss. `came` tells of each
/// message when it was due and when it came.
pub fn caught_up(tally: &mut Tally, lines: &Lines, came: impl Iterator<Item = (Nanos, Nanos)> + Clone) {
    for pair in lines.sessions.windows(2).filter(|pair| pair[0].lost.is_some()) {
        let (lost, back) = (pair[0].ended, pair[1].ready);
        let missed = came.clone().filter(|(due, at)| (lost..back).contains(due) && *at >= back);
        if let Some(last) = missed.map(|(_, at)| at).max() {
            tally.latency(names::CAUGHT_UP).record(last - lost);
        }
    }
}

fn sessions(tally: &mut Tally, stays: &[Stay], lines: &Lines, now: Nanos) {
    for (number, session) in lines.sessions.iter().enumerate() {
        tally.latency(names::ATTEMPT).record(session.ready.saturating_sub(session.dialled));
        tally.timeline.online(session.ready, session.ended, now);
        let Connections { sessions, resumed, .. } = &mut tally.connections;
        *sessions += 1;
        *resumed += u64::from(session.resumed);
        let Some(why) = &session.lost else { continue };
        tally.connections.lost += 1;
        tally.reason("session lost", why);
        tally.timeline.second(session.ended).dropped += 1;
        match lines.sessions.get(number + 1) {
            Some(next) if next.stay == session.stay => {
                tally.latency(names::RECONNECT).record(next.ready.saturating_sub(session.ended));
            }
            None if stays[session.stay].to.min(now) > session.ended + LET_IN => {
                tally.connections.never_recovered += 1;
                tally.latency(names::RECONNECT).missing += 1;
            }
            _ => {}
        }
    }
}
