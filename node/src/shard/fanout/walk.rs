//! The walk of a broadcast over the sockets of one partition, one slice of a lane after the other. Commands that arrive
//! during the walk join it. A slice that the walk has not reached gets all of them in one write; a slice that the walk
//! has passed gets them in a second round. So a burst costs a second write only for the first slices, and a single
//! broadcast never waits.
//!
//! Invariant: no session has its turn during a walk, so each socket keeps its row.

use std::{iter, ops::Range, rc::Rc, sync::Arc};

use muster_protocol::{CommandId, TerminalId, api::Protocol};

use super::{lane::Lane, partition_lanes::PartitionLanes, write_batch::WriteBatch};
use crate::wire::EncodedCommand;

/// The most rows of a slice. Their writes take about as long as the node's other threads need to accept a command.
const SLICE: usize = 256;

/// A walk.
pub struct Walk<'a> {
    lanes: &'a PartitionLanes,
    /// The commands that are sent, in their order.
    commands: Vec<Arc<EncodedCommand>>,
    batches: Batches,
    incomplete: Vec<IncompleteRow>,
    /// The commands that went out whole to sockets which did not take everything at once.
    pub single: Vec<(CommandId, TerminalId, Protocol)>,
}

/// Rows of one lane that are written to one after the other.
struct Slice {
    protocol: Protocol,
    rows: Range<usize>,
    /// How many of the walk's commands were sent to these rows.
    sent: usize,
}

/// A row whose socket did not take all of these commands.
struct IncompleteRow {
    protocol: Protocol,
    row: usize,
    commands: Range<usize>,
}

/// The batches that were made last. Most slices need the same batches as the slice before.
#[derive(Default)]
struct Batches {
    of: Option<(Protocol, Range<usize>)>,
    batches: Rc<[WriteBatch]>,
}

/// Commands that went out whole to these terminals.
pub struct WholeSends<'a> {
    /// The commands.
    pub commands: &'a [Arc<EncodedCommand>],
    /// The terminals.
    pub terminals: Arc<[TerminalId]>,
    /// The protocol of the terminals.
    pub protocol: Protocol,
}

impl<'a> Walk<'a> {
    /// Returns a walk that sends these commands of the lanes' partition.
    pub fn new(lanes: &'a PartitionLanes, commands: Vec<Arc<EncodedCommand>>) -> Self {
        let mut walk = Self {
            lanes,
            commands: Vec::new(),
            batches: Batches::default(),
            incomplete: Vec::new(),
            single: Vec::new(),
        };
        walk.join(commands);
        walk
    }

    /// Writes to each socket. Calls `more` after each slice of the first round, and sends the commands that it returns
    /// too. No command joins in the second round, so that the walk ends and the sessions get their turns.
    pub fn run(&mut self, mut more: impl FnMut() -> Vec<Arc<EncodedCommand>>) {
        let mut slices = self.slices();
        for slice in &mut slices {
            self.send(slice);
            self.join(more());
        }
        slices.iter_mut().for_each(|slice| self.send(slice));
    }

    fn slices(&self) -> Vec<Slice> {
        let of = |protocol| {
            let count = self.lanes.lane(protocol).len();
            let rows = move |start| start..count.min(start + SLICE);
            (0..count).step_by(SLICE).map(move |start| Slice { protocol, rows: rows(start), sent: 0 })
        };
        [Protocol::V1, Protocol::Plain].into_iter().flat_map(of).collect()
    }

    fn join(&mut self, commands: Vec<Arc<EncodedCommand>>) {
        if let Some(last) = commands.last() {
            self.lanes.raise_sent_up_to(last.number);
            self.commands.extend(commands);
        }
    }

    /// Sends to a slice the commands that were not sent to it yet.
    fn send(&mut self, slice: &mut Slice) {
        let (protocol, lane) = (slice.protocol, self.lanes.lane(slice.protocol));
        let batches = self.batches.of(&self.commands, slice.sent, protocol);
        for batch in batches.iter() {
            let commands = slice.sent..slice.sent + batch.count();
            for (socket, sent) in lane.send(slice.rows.clone(), batch) {
                let terminal = &socket.info.terminal;
                self.single.extend(sent.into_iter().map(|command| (command, terminal.clone(), protocol)));
                self.incomplete.push(IncompleteRow { protocol, row: socket.index.get(), commands: commands.clone() });
            }
            slice.sent = commands.end;
        }
    }

    /// Returns what went out whole and at once: groups of commands, each with the terminals that took all commands of
    /// the group.
    pub fn whole(&self) -> impl Iterator<Item = WholeSends<'_>> {
        [Protocol::V1, Protocol::Plain].into_iter().flat_map(|protocol| self.whole_in(protocol))
    }

    fn whole_in(&self, protocol: Protocol) -> Vec<WholeSends<'_>> {
        let lane = self.lanes.lane(protocol);
        if lane.is_empty() {
            return Vec::new();
        }
        let incomplete: Vec<_> = self.incomplete.iter().filter(|row| row.protocol == protocol).collect();
        // Between two of these indices the commands have the same terminals.
        let ends = incomplete.iter().flat_map(|row| [row.commands.start, row.commands.end]);
        let mut cuts: Vec<_> = ends.chain([0, self.commands.len()]).collect();
        cuts.sort_unstable();
        cuts.dedup();
        let between = cuts.windows(2).map(|cut| cut[0]..cut[1]);
        let sends = between.map(|range| {
            let without = incomplete.iter().filter(|row| row.commands.contains(&range.start)).map(|row| row.row);
            WholeSends { commands: &self.commands[range.clone()], terminals: terminals(lane, without), protocol }
        });
        sends.collect()
    }
}

/// Returns the terminals of a lane, except those of these rows.
fn terminals(lane: &Lane, without: impl Iterator<Item = usize>) -> Arc<[TerminalId]> {
    let (roster, mut without) = (lane.roster(), without.peekable());
    if without.peek().is_none() {
        return roster;
    }
    let mut is_whole = vec![true; roster.len()];
    without.for_each(|row| is_whole[row] = false);
    iter::zip(&*roster, is_whole).filter(|(_, is_whole)| *is_whole).map(|(terminal, _)| terminal.clone()).collect()
}

impl Batches {
    /// Returns the frames of all commands from the index `start` on.
    fn of(&mut self, commands: &[Arc<EncodedCommand>], start: usize, protocol: Protocol) -> Rc<[WriteBatch]> {
        let wanted = (protocol, start..commands.len());
        if self.of.as_ref() != Some(&wanted) {
            self.batches = WriteBatch::of(&commands[start..], protocol).into();
            self.of = Some(wanted);
        }
        self.batches.clone()
    }
}
