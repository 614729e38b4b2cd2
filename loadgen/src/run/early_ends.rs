//! What may end a run before its plan does.

use std::future::pending;

use crate::{
    clock::{Clock, Nanos},
    interrupt::Interrupt,
    play::ProgramPipe,
};

/// What may end a run early.
pub(super) struct EarlyEnds<'a> {
    pub(super) clock: Clock,
    pub(super) interrupt: &'a Interrupt,
    pub(super) program: Option<&'a ProgramPipe>,
}

impl EarlyEnds<'_> {
    /// Waits until `time`. Returns true if a signal came before, or the program failed.
    pub(super) async fn before(&self, time: Nanos) -> bool {
        let failed = async {
            match self.program {
                Some(program) => program.failed().await,
                None => pending().await,
            }
        };
        tokio::select! {
            () = self.clock.wait_until(time) => false,
            () = self.interrupt.requested() => true,
            () = failed => true,
        }
    }
}
