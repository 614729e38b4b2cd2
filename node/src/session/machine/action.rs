//! What a session does: the actions of its machine. The driver of the machine carries out the actions in their order.

use bytes::Bytes;
use muster_protocol::{
    CommandId, Payload,
    api::TargetState,
    frame::{Command, Condition, Health, TokenFrame},
    selector::Labels,
};

use crate::{
    backplane::Cursor,
    end::SessionEnd,
    wire::{Message, ReceivedClose},
};

/// One thing to do.
#[derive(Debug, PartialEq)]
pub enum Action {
    /// Enter the session into its lane, held, and into the hub, with these labels. An older session of the terminal
    /// ends.
    Enter(Labels),
    /// Register the session with the backplane. The answer is [`Input::Joined`](super::Input::Joined).
    Join(Box<JoinCall>),
    /// Fetch the frames of these commands. The answer is [`Input::Fetched`](super::Input::Fetched).
    Fetch(Vec<CommandId>),
    /// Give up the call that was not answered. The machine does not want its answer any more.
    Abandon,
    /// Send a frame that belongs to no command.
    Send(Bytes),
    /// Send a command that the terminal missed, ahead of everything that is held.
    SendMissed(Box<MissedFrame>),
    /// Release the session into the live stream: it has received everything up to this sequence number.
    Release(u64),
    /// Note that a message came, which is as good a sign of life as a pong.
    Heard,
    /// Count that the node stops reading from the terminal for a while, because the terminal sends faster than its
    /// rate.
    Pause,
    /// Note that a pong came, and report it if it answers a ping.
    Ponged,
    /// Report what the terminal says.
    Report(TerminalReport),
    /// Verify a token of the terminal. The answer is [`Input::Verified`](super::Input::Verified).
    Verify(TokenFrame),
    /// End the session after this second, since 1970; none for never.
    SetExpiry(Option<u64>),
    /// Count the end, leave lane and hub, and take the session out of the registry. If the call to register was not
    /// answered yet, wait for the answer before taking the session out. The second value is what the terminal's close
    /// frame said; none if the terminal sent no close frame.
    End(SessionEnd, Option<Box<ReceivedClose>>),
    /// Send the close frame after the rest of a frame that was begun, and drop what else is queued.
    SendLast(Bytes),
    /// Shut down the node's side of the connection.
    ShutDown,
    /// Close the connection. No action follows.
    Done,
}

/// What a session registers with, beside who it is.
#[derive(Debug, PartialEq)]
pub struct JoinCall {
    /// The last will.
    pub will: Option<Payload>,
    /// The cursor of the terminal.
    pub cursor: Option<Cursor>,
    /// Whether the session was registered before.
    pub again: bool,
    /// Whether the session has waited as the store demanded.
    pub patient: bool,
}

/// A command that the terminal missed.
#[derive(Debug, PartialEq)]
pub struct MissedFrame {
    /// The command.
    pub command: Command,
    /// The place of the command in the order of the partition's commands.
    pub cursor: Cursor,
    /// Whether the command is a broadcast. Only a broadcast moves the terminal's cursor.
    pub to_all: bool,
}

/// What a terminal says that is reported.
#[derive(Debug, PartialEq)]
pub enum TerminalReport {
    /// The terminal has reached this state of a command.
    State(CommandId, TargetState),
    /// The terminal's reply to a command.
    Reply(CommandId, Payload),
    /// An event of the terminal's own, as the fields of `terminal.event`.
    Event(Vec<(&'static str, Payload)>),
    /// An event of the terminal's own that has an id, and the id. The terminal is told once the event is stored.
    EventWithId(String, Vec<(&'static str, Payload)>),
    /// The terminal's health, and its condition before.
    Health(Health, Condition),
}

/// The actions that an input led to. Every input uses the same value again, so that handling an input mostly allocates
/// nothing.
#[derive(Debug, Default)]
pub struct Output {
    /// The actions, in their order. The driver removes each action that it carries out.
    ///
    /// An input adds at most three for each frame that it completes, three for each message that waited, and ten more.
    pub actions: Vec<Action>,
    /// The messages of one read, between decoding and handling.
    pub(super) messages: Vec<Message>,
}
