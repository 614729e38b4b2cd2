//! The operations of which a sequence is made, and how a random one is drawn.
//!
//! Each operation can be applied in every state: a number that names a command is taken modulo the commands there are.
//! So a sequence stays valid when operations are removed from it, which is how a failing one is made short.

use muster_protocol::api::{Confirm, TargetState};
use proptest::{collection::vec, option, prelude::*, sample::select};
use serde::{Deserialize, Serialize};

/// The number of terminals. The last one speaks the plain protocol.
pub const TERMINALS: u8 = 5;

/// One step of a sequence.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// Accepts a command.
    Accept(Request),
    /// Counts the targets of a command (`?dry_run=1`).
    Estimate(Request),
    /// A terminal connects to a node, whether it is connected already or not.
    Join { terminal: u8, node: u8, resume: Resume, will: bool },
    /// A terminal's session ends.
    Leave { terminal: u8, lost: bool },
    /// A report about a command. With a reply, 0 is a reply of JSON null.
    Report { command: u8, terminal: u8, state: TargetState, reply: Option<u8> },
    /// Cancels a command.
    Cancel { command: u8 },
    /// Gives a terminal the label `site`, or no label.
    Label { terminal: u8, site: Option<u8> },
    /// Forgets a terminal.
    Forget { terminal: u8 },
    /// Ends a terminal's session as an operator does.
    Disconnect { terminal: u8 },
    /// A terminal reports its condition, if it is online.
    Health { terminal: u8, condition: u8 },
    /// The store loses everything.
    Flush,
    /// The store's clock moves forward by this many times ten seconds.
    Clock { tens: u8 },
    /// Redis fails and comes back. Nothing happens to the memory backplane.
    InjectedFailure(InjectedFailure),
}

/// What is asked for with a command.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Request {
    pub target: TargetChoice,
    pub confirm: Confirm,
    /// `"offline": "skip"`.
    pub skip: bool,
    /// Whether the command expires after a long time.
    pub long: bool,
    /// The numbers of an idempotency key and of a body.
    pub key: Option<(u8, u8)>,
}

/// The terminals that a command is for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TargetChoice {
    All,
    One(u8),
    Several(Vec<u8>),
    Site(u8),
}

/// The cursor with which a terminal connects.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Resume {
    /// None.
    Fresh,
    /// One that it was given: the newest, or so many before the newest.
    Given(u8),
    /// One of another store.
    Foreign,
    /// One of this store, beyond its last number.
    Beyond,
}

/// What happens to Redis.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InjectedFailure {
    /// The nodes' subscriptions are cut. The next operations happen before they are back.
    Deaf,
    /// All connections of the nodes are cut.
    Cut,
    /// The process is killed and started again.
    Restart,
}

impl Operation {
    /// The name under which the summary counts it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Accept(_) => "accept",
            Self::Estimate(_) => "estimate",
            Self::Join { .. } => "join",
            Self::Leave { .. } => "leave",
            Self::Report { state: TargetState::Acked, .. } => "ack",
            Self::Report { .. } => "result",
            Self::Cancel { .. } => "cancel",
            Self::Label { .. } => "label",
            Self::Forget { .. } => "forget",
            Self::Disconnect { .. } => "disconnect",
            Self::Health { .. } => "health",
            Self::Flush => "flush",
            Self::Clock { .. } => "clock",
            Self::InjectedFailure(_) => "failure",
        }
    }
}

/// Sequences of operations. Those that cost a second of waiting are rare.
pub fn sequences() -> impl Strategy<Value = Vec<Operation>> {
    vec(operation(), 10..60)
}

fn operation() -> impl Strategy<Value = Operation> {
    let terminal = || 0..TERMINALS;
    let states = select(vec![
        TargetState::Sent,
        TargetState::Acked,
        TargetState::Running,
        TargetState::Expired,
        TargetState::Succeeded,
        TargetState::Failed,
        TargetState::Rejected,
    ]);
    let resume = prop_oneof![
        3 => Just(Resume::Fresh),
        5 => (0u8..3).prop_map(Resume::Given),
        1 => Just(Resume::Foreign),
        1 => Just(Resume::Beyond),
    ];
    let failures = prop_oneof![4 => Just(InjectedFailure::Deaf), 2 => Just(InjectedFailure::Cut), 1 => Just(InjectedFailure::Restart)];
    prop_oneof![
        240 => request().prop_map(Operation::Accept),
        40 => request().prop_map(Operation::Estimate),
        240 => (terminal(), 0u8..2, resume, any::<bool>())
            .prop_map(|(terminal, node, resume, will)| Operation::Join { terminal, node, resume, will }),
        110 => (terminal(), any::<bool>()).prop_map(|(terminal, lost)| Operation::Leave { terminal, lost }),
        200 => (any::<u8>(), terminal(), states, option::of(0u8..4))
            .prop_map(|(command, terminal, state, reply)| Operation::Report { command, terminal, state, reply }),
        60 => any::<u8>().prop_map(|command| Operation::Cancel { command }),
        50 => (terminal(), option::of(0u8..3)).prop_map(|(terminal, site)| Operation::Label { terminal, site }),
        30 => terminal().prop_map(|terminal| Operation::Forget { terminal }),
        20 => terminal().prop_map(|terminal| Operation::Disconnect { terminal }),
        30 => (terminal(), 0u8..3).prop_map(|(terminal, condition)| Operation::Health { terminal, condition }),
        8 => Just(Operation::Flush),
        60 => (1u8..5).prop_map(|tens| Operation::Clock { tens }),
        12 => failures.prop_map(Operation::InjectedFailure),
    ]
}

fn request() -> impl Strategy<Value = Request> {
    let target = prop_oneof![
        4 => Just(TargetChoice::All),
        4 => (0..TERMINALS).prop_map(TargetChoice::One),
        2 => vec(0..TERMINALS, 1..4).prop_map(TargetChoice::Several),
        2 => (0u8..3).prop_map(TargetChoice::Site),
    ];
    let confirm = select(vec![Confirm::None, Confirm::Ack, Confirm::Result]);
    let key = option::weighted(0.3, (0u8..2, 0u8..2));
    (target, confirm, prop::bool::weighted(0.2), prop::bool::weighted(0.6), key)
        .prop_map(|(target, confirm, skip, long, key)| Request { target, confirm, skip, long, key })
}
