//! Executes the plan and records what happens. [`fleet`] starts the terminals; each terminal is a task with a
//! [`socket`] and a receiver for its texts. The [`operator`] sends each message when the pacer reports it as due,
//! through an HTTP [`api`] or a WebSocket of its own. [`disturb`] attacks the server, and runs commands. [`tls_check`]
//! runs before the plan. Nothing here judges what was recorded.

pub mod api;
mod attackers;
mod command_poll;
mod cut;
pub mod disturb;
mod endpoints;
pub mod fleet;
mod live;
mod mute;
pub mod operator;
mod pacer;
mod program;
mod publisher;
mod receiver;
mod redis_publisher;
mod resolved_url;
mod session_timers;
pub mod socket;
mod terminal;
pub mod tls_check;

pub use self::{
    live::LiveCounters,
    program::{ProgramPipe, ProgramProcess},
    receiver::FrameReceiver,
    terminal::PlayedTerminal,
};
