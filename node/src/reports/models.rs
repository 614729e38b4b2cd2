//! The table of reports, in every order in which shards may report and the backplane may take the reports.

use std::sync::Arc;

use muster_protocol::{CommandId, Payload, TerminalId, api::TargetState};
use shuttle::thread;
use uuid::Uuid;

use super::{ENTRY, ROOM, ROOM_FOR_EVENTS, ReportBatch, Reports};
use crate::sync::{Mutex, in_each_order};

fn terminal(number: usize) -> TerminalId {
    format!("t{number}").parse().unwrap()
}

fn command() -> CommandId {
    CommandId(Uuid::nil())
}

/// Returns a table with room for one more entry of each kind.
fn nearly_full() -> Reports {
    let (weight, weight_of_events) = (ROOM - ENTRY, ROOM_FOR_EVENTS - ENTRY);
    Reports(Mutex::new(ReportBatch { weight, weight_of_events, ..Default::default() }))
}

/// Returns the number of states in a batch.
fn states(batch: &ReportBatch) -> usize {
    batch.all_states().map(|(_, terminals)| terminals.len()).sum()
}

#[test]
fn each_report_is_in_one_batch_and_only_there() {
    in_each_order(|| {
        let reports = Arc::<Reports>::default();
        let shards = [1, 2].map(|number| {
            let reports = reports.clone();
            thread::spawn(move || reports.state(command(), TargetState::Acked, terminal(number)))
        });
        let first = reports.drain();
        shards.into_iter().for_each(|shard| shard.join().unwrap());
        assert_eq!(states(&first) + states(&reports.drain()), 2);
    });
}

#[test]
fn a_reply_is_never_in_a_later_batch_than_the_state_that_it_led_to() {
    in_each_order(|| {
        let reports = Arc::<Reports>::default();
        let shard = {
            let reports = reports.clone();
            thread::spawn(move || {
                reports.reply(command(), terminal(1), Payload::from_text("done"));
                reports.state(command(), TargetState::Succeeded, terminal(1));
            })
        };
        let first = reports.drain();
        assert!(states(&first) == 0 || first.replies.len() == 1, "a state without its reply");
        shard.join().unwrap();
        let second = reports.drain();
        assert_eq!((first.replies.len() + second.replies.len(), states(&first) + states(&second)), (1, 1));
    });
}

#[test]
fn the_table_never_exceeds_its_room_and_counts_each_report_that_it_drops() {
    in_each_order(|| {
        let reports = Arc::new(nearly_full());
        let shards = [1, 2].map(|number| {
            let reports = reports.clone();
            thread::spawn(move || reports.state(command(), TargetState::Acked, terminal(number)))
        });
        shards.into_iter().for_each(|shard| shard.join().unwrap());
        let batch = reports.drain();
        assert_eq!((states(&batch), batch.dropped, batch.weight), (1, 1, ROOM));
    });
}

#[test]
fn events_never_exceed_their_room_and_each_that_is_dropped_is_counted() {
    in_each_order(|| {
        let reports = Arc::new(nearly_full());
        let shards = [1, 2].map(|number| {
            let reports = reports.clone();
            thread::spawn(move || reports.event("terminal.event", &terminal(number), Vec::new()))
        });
        let first = reports.drain();
        shards.into_iter().for_each(|shard| shard.join().unwrap());
        let second = reports.drain();
        let (taken, dropped) = (first.events.len() + second.events.len(), first.dropped + second.dropped);
        assert_eq!(taken as u64 + dropped, 2);
        assert!(first.weight_of_events <= ROOM_FOR_EVENTS && first.events.len() < 2, "more than there is room for");
    });
}
