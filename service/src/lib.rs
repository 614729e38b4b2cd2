//! What Muster's programs have in common as services of a host.
//!
//! | Module | What it does |
//! |---|---|
//! | [`manager`] | tells the service manager, such as systemd, how the program does |
//! | `systemd` | the protocol of the service manager, which Windows lacks |
//! | [`pid_file`] | writes the file with the process id, for a service manager that wants one |
//! | [`memory`] | what the host and the control group have of memory |
//! | [`output`] | writes standard output and the log, and goes on when they can't be written |

pub mod manager;
pub mod memory;
pub mod output;
pub mod pid_file;
mod systemd;

pub use self::{
    manager::{ServiceManager, Watchdog},
    memory::MemoryGroup,
    pid_file::PidFile,
};
