//! The counts of commands, for streams that have asked for `command.counts`. Each command is looked up at most twice a second, once for all
//! streams of the node, however many targets report.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use jiff::Timestamp;
use muster_protocol::CommandId;
use tokio::time::Instant;

use super::message::{EventSubject, StreamMessage};
use crate::backplane::CommandRecord;

/// The kind of an event with the counts of a command.
pub const COUNTS: &str = "command.counts";
/// The kind of an event that says that targets reached a state, or that the command was cancelled.
const STATE: &str = "command.state";
/// The kind of an event that has the counts with which a command ended.
const DONE: &str = "command.done";

/// The least time between two looks at one command.
const INTERVAL: Duration = Duration::from_millis(500);
/// The most commands that are looked up at one look of the tail.
const LOOKS: usize = 32;
/// The commands that may wait to be looked up. The counts of a further one come when it is done.
const COMMANDS_MAX: usize = 4096;

/// The commands of which streams want the counts, and those among them that have changed.
#[derive(Debug, Default)]
pub struct ChangedCommands(Mutex<Changed>);

#[derive(Debug, Default)]
struct Changed {
    /// How many streams want the counts of each command.
    streams_of: HashMap<CommandId, usize>,
    /// How many streams want those of all commands.
    streams_of_all: usize,
    looks: HashMap<CommandId, NextLook>,
}

/// When a command may be looked up again, and whether it has changed since it was.
#[derive(Debug)]
struct NextLook {
    at: Instant,
    is_due: bool,
}

impl ChangedCommands {
    /// Records what an event tells of a command.
    pub fn saw(&self, subject: &EventSubject, now: Instant) {
        let Some(command) = subject.command else { return };
        let mut changed = self.lock();
        match subject.kind.as_str() {
            STATE if changed.is_wanted(command) => changed.set_due(command, now),
            // The event has the counts.
            DONE => _ = changed.looks.remove(&command),
            _ => {}
        }
    }

    /// Has these commands looked up, whether they have changed or not.
    pub fn set_due(&self, commands: BTreeSet<CommandId>, now: Instant) {
        let mut changed = self.lock();
        commands.into_iter().for_each(|command| changed.set_due(command, now));
    }

    /// Takes the commands that are to be looked up now, those first that wait for longest.
    pub fn take_due(&self, now: Instant) -> Vec<CommandId> {
        let mut changed = self.lock();
        changed.looks.retain(|_, look| look.is_due || look.at > now);
        let due = changed.looks.iter().filter(|(_, look)| look.is_due && look.at <= now);
        let mut due: Vec<_> = due.map(|(command, look)| (look.at, *command)).collect();
        due.sort_unstable();
        due.truncate(LOOKS);
        let next = |command| (command, NextLook { at: now + INTERVAL, is_due: false });
        changed.looks.extend(due.iter().map(|(_, command)| next(*command)));
        due.into_iter().map(|(_, command)| command).collect()
    }

    /// Whether no command waits to be looked up.
    pub fn is_quiet(&self) -> bool {
        !self.lock().looks.values().any(|look| look.is_due)
    }

    fn lock(&self) -> MutexGuard<'_, Changed> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Changed {
    fn is_wanted(&self, command: CommandId) -> bool {
        self.streams_of_all > 0 || self.streams_of.contains_key(&command)
    }

    fn set_due(&mut self, command: CommandId, now: Instant) {
        if self.looks.len() < COMMANDS_MAX || self.looks.contains_key(&command) {
            self.looks.entry(command).or_insert(NextLook { at: now, is_due: true }).is_due = true;
        }
    }
}

/// A stream that wants counts, until this is dropped.
#[derive(Debug)]
pub struct CountsFollower {
    commands: Arc<ChangedCommands>,
    /// The only command whose counts it wants. Those of all if none.
    command: Option<CommandId>,
    /// Commands that changed while the stream did not read what the node reads for all streams, at most 4096.
    missed: BTreeSet<CommandId>,
}

impl CountsFollower {
    /// A stream that wants the counts of this command, now and when they change, or of all commands when they change.
    pub fn new(commands: Arc<ChangedCommands>, command: Option<CommandId>) -> Self {
        let mut changed = commands.lock();
        match command {
            Some(command) => *changed.streams_of.entry(command).or_default() += 1,
            None => changed.streams_of_all += 1,
        }
        drop(changed);
        Self { commands, command, missed: command.into_iter().collect() }
    }

    /// Records what the stream reads by itself.
    pub fn saw(&mut self, messages: &[Arc<StreamMessage>]) {
        let states = messages.iter().filter_map(|message| message.subject.as_ref()).filter(|about| about.kind == STATE);
        for command in states.filter_map(|about| about.command) {
            let is_wanted = self.command.is_none_or(|wanted| wanted == command);
            if is_wanted && self.missed.len() < COMMANDS_MAX {
                self.missed.insert(command);
            }
        }
    }

    /// Has what it missed looked up: from now on the stream is told what all are told. Returns whether there was anything.
    pub fn catch_up(&mut self) -> bool {
        let missed = std::mem::take(&mut self.missed);
        let is_behind = !missed.is_empty();
        self.commands.set_due(missed, Instant::now());
        is_behind
    }
}

impl Drop for CountsFollower {
    fn drop(&mut self) {
        let mut changed = self.commands.lock();
        let Some(command) = self.command else {
            changed.streams_of_all -= 1;
            return;
        };
        if let Some(streams) = changed.streams_of.get_mut(&command) {
            *streams -= 1;
            if *streams == 0 {
                changed.streams_of.remove(&command);
            }
        }
    }
}

/// The message with the counts of a command, behind the event with this cursor.
pub fn message(cursor: &str, record: &CommandRecord) -> StreamMessage {
    StreamMessage::without_id(COUNTS, cursor, &record.counts_event(Timestamp::now()))
}

/// These messages, and behind each that tells that a command is done the counts with which it ended.
pub fn with_last_counts(messages: &[Arc<StreamMessage>]) -> Vec<Arc<StreamMessage>> {
    let last = |message: &Arc<StreamMessage>| {
        let about = message.subject.as_ref().filter(|about| about.kind == DONE)?;
        about.command?;
        Some(Arc::new(StreamMessage::without_id(COUNTS, &message.cursor, message.data()?)))
    };
    messages.iter().flat_map(|message| [Some(message.clone()), last(message)]).flatten().collect()
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::backplane::EventView;

    fn id(number: u128) -> CommandId {
        CommandId(Uuid::from_u128(number))
    }

    fn event(kind: &str, number: u128) -> Arc<StreamMessage> {
        let data = format!(r#"{{"command":"{}","state":"sent"}}"#, id(number).0);
        Arc::new(StreamMessage::of(&EventView { cursor: "1-1".into(), kind: kind.into(), data }))
    }

    fn saw(commands: &ChangedCommands, kind: &str, number: u128, now: Instant) {
        commands.saw(event(kind, number).subject.as_ref().unwrap(), now);
    }

    #[test]
    fn a_command_is_looked_up_at_once_and_then_twice_a_second_while_it_changes() {
        let commands = Arc::new(ChangedCommands::default());
        let (_one, now) = (CountsFollower::new(commands.clone(), Some(id(1))), Instant::now());
        saw(&commands, STATE, 1, now);
        saw(&commands, STATE, 2, now);
        assert_eq!((commands.take_due(now), commands.is_quiet()), (vec![id(1)], true), "nobody wants the other");
        saw(&commands, STATE, 1, now);
        assert_eq!((commands.take_due(now + INTERVAL / 2), commands.is_quiet()), (vec![], false));
        assert_eq!(commands.take_due(now + INTERVAL), [id(1)]);
        saw(&commands, STATE, 1, now + INTERVAL);
        saw(&commands, DONE, 1, now + INTERVAL);
        assert!(commands.is_quiet(), "the event has the counts");
        commands.take_due(now + 3 * INTERVAL);
        assert!(commands.lock().looks.is_empty());
    }

    #[test]
    fn nothing_is_looked_up_that_no_stream_wants_any_more() {
        let commands = Arc::new(ChangedCommands::default());
        let (mut one, all) =
            (CountsFollower::new(commands.clone(), Some(id(1))), CountsFollower::new(commands.clone(), None));
        let now = Instant::now();
        one.saw(&[event(STATE, 1), event(STATE, 2), event(DONE, 1)]);
        assert!(one.catch_up() && !one.catch_up());
        assert_eq!(commands.take_due(Instant::now()), [id(1)]);
        drop(all);
        saw(&commands, STATE, 2, now);
        assert!(commands.is_quiet());
        drop(one);
        saw(&commands, STATE, 1, now);
        assert!(commands.is_quiet() && commands.lock().streams_of.is_empty());
    }

    #[test]
    fn what_waits_is_bounded() {
        let commands = Arc::new(ChangedCommands::default());
        let (_all, now) = (CountsFollower::new(commands.clone(), None), Instant::now());
        (0..=COMMANDS_MAX as u128).for_each(|number| saw(&commands, STATE, number, now));
        let first = commands.take_due(now);
        assert_eq!((commands.lock().looks.len(), first.len()), (COMMANDS_MAX, LOOKS));
        // Those that were looked up change again, and wait for their turn behind the others.
        (0..=COMMANDS_MAX as u128).for_each(|number| saw(&commands, STATE, number, now));
        let second = commands.take_due(now + INTERVAL);
        assert!(second.len() == LOOKS && second.iter().all(|command| !first.contains(command)));
    }

    #[test]
    fn the_last_counts_stand_behind_the_end_of_a_command() {
        let messages = [event(STATE, 1), event(DONE, 1), event(STATE, 2)];
        let all = with_last_counts(&messages);
        let kinds: Vec<_> = all.iter().map(|message| message.subject.as_ref().unwrap().kind.as_str()).collect();
        assert_eq!(kinds, [STATE, DONE, COUNTS, STATE]);
        assert_eq!((all[2].data(), all[2].has_id()), (all[1].data(), false));
    }
}
