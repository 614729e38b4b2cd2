//! A protocol that a program of the user's speaks (`--adapter-cmd`). The program is asked what each frame means, by lines of
//! JSON. This module knows the lines; [`crate::play`] owns the process and its pipes, and gives a terminal's conversation the
//! program's answers in the place of the server's frames.

mod answer;
mod request;

use std::{borrow::Cow, time::Duration};

use tokio_tungstenite::tungstenite::Message;

use self::answer::{ProgramAction, ProgramReadiness};
pub use self::{
    answer::ProgramAnswer,
    request::{ProgramEvent, ProgramRequest},
};
use super::{
    Adapter, Content, Conversation, Heard, Keepalive, Opening, Promise, Publication, Readiness, TerminalIdentity,
};

/// The adapter of `--adapter-cmd`.
#[derive(Debug)]
pub struct ProgramAdapter;

impl Adapter for ProgramAdapter {
    fn promise(&self) -> Promise {
        let text = "nothing is known: a terminal that is meant to be connected is owed each message once, and a session that the \
                    program resumes is replayed";
        Promise { resumes: true, pipe: true, ..Promise::owed("adapter-cmd", text) }
    }

    fn open(&self, _who: &TerminalIdentity) -> Opening {
        Opening::default()
    }

    fn converse(&self, _who: &TerminalIdentity, resume: Option<String>) -> Box<dyn Conversation> {
        Box::new(Answered { resume })
    }
}

/// A conversation whose frames are the program's answers.
struct Answered {
    /// From where the next connection resumes, as the program said last.
    resume: Option<String>,
}

impl Conversation for Answered {
    fn on_open(&mut self, _heard: &mut dyn FnMut(Heard<'_>)) {}

    fn on_frame(&mut self, answer: &Message, heard: &mut dyn FnMut(Heard<'_>)) {
        let answer = answer.to_text().map_err(|error| error.to_string()).and_then(ProgramAnswer::read);
        // The reader of the pipe has read the line before, and ended the run if it was not understood.
        let Ok(answer) = answer else { return heard(Heard::Malformed) };
        answer.actions.into_iter().for_each(|action| self.act(action, heard));
    }

    fn publish(&mut self, message: &str, _number: u32) -> Publication {
        // A connection asks the program for this frame: see `publication`.
        Publication { frame: Message::text(message.to_owned()), ticket: None }
    }

    fn resume_state(&mut self) -> Option<String> {
        self.resume.take()
    }
}

impl Answered {
    fn act(&mut self, action: ProgramAction, heard: &mut dyn FnMut(Heard<'_>)) {
        match action {
            ProgramAction::Ready(readiness) => heard(Heard::Ready(readiness.into())),
            ProgramAction::Send(text) => heard(Heard::Reply(Message::text(text))),
            ProgramAction::SendBinary(bytes) => heard(Heard::Reply(Message::binary(bytes))),
            ProgramAction::Message(text) => heard(Heard::Payload(Content::Text(Cow::Owned(text)), 0)),
            ProgramAction::MessageBinary(bytes) => heard(Heard::Payload(Content::Binary(&bytes), 0)),
            ProgramAction::Gap => heard(Heard::Gap),
            ProgramAction::Greeting => heard(Heard::Greeting),
            ProgramAction::Malformed => heard(Heard::Malformed),
            ProgramAction::Refused(why) => heard(Heard::Refused(why)),
            ProgramAction::Accepted(number) => heard(Heard::Published(number, Ok(()))),
            ProgramAction::Rejected { number, why } => heard(Heard::Published(number, Err(why))),
            ProgramAction::Resume(from) => self.resume = Some(from),
            // It belongs to the answer to `publish`.
            ProgramAction::Await => {}
        }
    }
}

impl From<ProgramReadiness> for Readiness {
    fn from(said: ProgramReadiness) -> Self {
        let keepalive = said.ping.map(|ping| Keepalive {
            every: Duration::from_millis(ping.every_ms.get()),
            frame: Message::text(ping.send),
        });
        let silence = said.silence_ms.map(|ms| Duration::from_millis(ms.get()));
        Self { node: said.node, resumed: said.resumed, silence, keepalive }
    }
}

/// The frame that publishes message `number`, as the program answered. Fails if the answer is not one frame.
pub fn publication(answer: &str, number: u32) -> Result<Publication, String> {
    let (mut frames, mut ticket) = (Vec::new(), None);
    for action in ProgramAnswer::read(answer)?.actions {
        match action {
            ProgramAction::Send(text) => frames.push(Message::text(text)),
            ProgramAction::SendBinary(bytes) => frames.push(Message::binary(bytes)),
            ProgramAction::Await => ticket = Some(number),
            other => return Err(format!("the answer to publish can't have {other:?}")),
        }
    }
    match <[Message; 1]>::try_from(frames) {
        Ok([frame]) => Ok(Publication { frame, ticket }),
        Err(frames) => Err(format!("the answer to publish has {} frames to send, and must have one", frames.len())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapter::trial::Trial;

    #[test]
    fn what_the_program_answers_is_heard() {
        let mut trial = Trial::start(&ProgramAdapter, None);
        assert_eq!(trial.opened(), Vec::<String>::new());
        let told = trial.text(
            r#"{"id":1,"do":[{"send":"join"},{"ready":{"node":"n1","ping":{"every_ms":9000,"send":"ping"},"silence_ms":5000}},"greeting"]}"#,
        );
        assert_eq!(told, ["reply join", "ready on n1 silence 5s keepalive 9s ping", "greeting"]);
        let told = trial
            .text(r#"{"id":2,"do":[{"message":"M1ab"},{"message_binary":"TTFhYg=="},{"send_binary":"eA=="},"gap"]}"#);
        assert_eq!(told, ["payload M1ab copy 0", "binary payload M1ab copy 0", "binary reply x", "gap"]);
        let told =
            trial.text(r#"{"id":3,"do":[{"accepted":4},{"rejected":{"number":5,"why":"full"}},{"refused":"no"}]}"#);
        assert_eq!(told, ["published 4", "published 5: full", "refused: no"]);
        assert_eq!(trial.text(r#"{"id":4}"#), Vec::<String>::new());
        assert_eq!(trial.text(r#"{"id":5,"do":[{"resume":"17"}]}"#), Vec::<String>::new());
        assert_eq!(trial.resume_state(), Some("17".into()));
    }

    #[test]
    fn the_answer_to_publish_is_one_frame() {
        let published = publication(r#"{"id":1,"do":[{"send":"say M1"},"await"]}"#, 7).unwrap();
        assert_eq!((published.frame, published.ticket), (Message::text("say M1"), Some(7)));
        assert_eq!(publication(r#"{"id":1,"do":[{"send_binary":"eA=="}]}"#, 7).unwrap().ticket, None);
        for (wrong, why) in [("[]", "0 frames"), (r#"[{"send":"a"},{"send":"b"}]"#, "2 frames"), (r#"["gap"]"#, "Gap")]
        {
            let told = publication(&format!(r#"{{"id":1,"do":{wrong}}}"#), 7).err().unwrap();
            assert!(told.contains(why), "{told}");
        }
    }
}
