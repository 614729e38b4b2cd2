//! One connection, as the program of `--adapter-cmd` knows it.

use muster_client::ConnectionEnd;
use tokio::sync::oneshot;
use tokio_tungstenite::tungstenite::Message;

use super::ProgramPipe;
use crate::adapter::{ProgramEvent, Publication, TerminalIdentity, publication};

/// One connection. Dropping it tells the program that the connection has ended.
pub struct ProgramLine {
    pipe: ProgramPipe,
    /// The number of the connection.
    number: u64,
    /// The answer to the last question, while it has not come.
    awaited: Option<oneshot::Receiver<String>>,
}

impl ProgramLine {
    /// Tells the program that a connection of this terminal is open. `resume` says from where it resumes.
    pub fn open(pipe: &ProgramPipe, who: &TerminalIdentity, resume: Option<&str>) -> Self {
        let (number, pipe) = (pipe.connection(), pipe.clone());
        let TerminalIdentity { number: terminal, id: name, seed, credential, .. } = who;
        let event = ProgramEvent::Open { terminal: *terminal, name, seed: *seed, credential, resume };
        let awaited = Some(pipe.ask(number, event));
        Self { pipe, number, awaited }
    }

    /// Asks what a frame means.
    pub fn ask(&mut self, frame: &Message) {
        self.awaited = Some(self.pipe.ask(self.number, ProgramEvent::of(frame)));
    }

    /// Waits for the answer to the last question, and returns it as a frame; `None` if nothing was asked since the last
    /// answer. A caller that drops the future loses nothing. Fails if the program has failed.
    pub async fn answer(&mut self) -> Result<Option<Message>, ConnectionEnd> {
        let Some(awaited) = &mut self.awaited else { return Ok(None) };
        let answer = awaited.await;
        self.awaited = None;
        answer.map(|line| Some(Message::text(line))).map_err(|_| gone())
    }

    /// Asks for the frame that publishes a message. Fails if the program has failed, or answers something else.
    pub async fn publication(&self, message: &str, number: u32) -> Result<Publication, ConnectionEnd> {
        let answer = self.pipe.ask(self.number, ProgramEvent::Publish { message, number }).await.map_err(|_| gone())?;
        publication(&answer, number).map_err(|why| {
            self.pipe.fail(why);
            gone()
        })
    }
}

impl Drop for ProgramLine {
    fn drop(&mut self) {
        self.pipe.tell(self.number, ProgramEvent::Close);
    }
}

fn gone() -> ConnectionEnd {
    ConnectionEnd::Lost("the program of --adapter-cmd has failed".into())
}
