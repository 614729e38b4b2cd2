//! Centrifugo's JSON protocol: a subscription to one channel, and its recovery by offset. `session` speaks it on one
//! connection, and `reply` is what the server sends.

mod reply;
mod session;

use self::session::CentrifugoSession;
use super::{Adapter, Conversation, Opening, Promise, TerminalIdentity};
use crate::{
    config::{AdapterSettings, Replay},
    template::Template,
};

/// The adapter for Centrifugo.
#[derive(Debug)]
pub struct Centrifugo {
    channel: Template,
    publish_to: Template,
    /// Whether terminals ask for what they missed.
    recovers: bool,
}

impl Centrifugo {
    /// The adapter for these settings; the default channel is `load`.
    pub fn new(settings: &AdapterSettings, replay: Replay) -> Self {
        let (channel, publish_to) = settings.channels("load");
        Self { channel, publish_to, recovers: replay != Replay::Off }
    }
}

impl Adapter for Centrifugo {
    fn promise(&self) -> Promise {
        let text = "each message at most once, in order of the channel; a channel with history replays what was missed";
        Promise { resumes: self.recovers, ..Promise::at_most_once("centrifugo", text) }
    }

    fn open(&self, _who: &TerminalIdentity) -> Opening {
        Opening { has_credentials: true, ..Opening::default() }
    }

    fn converse(&self, who: &TerminalIdentity, resume: Option<String>) -> Box<dyn Conversation> {
        let (channel, publish_to) = (who.fill(&self.channel), who.fill(&self.publish_to));
        let resume = resume.as_deref();
        Box::new(CentrifugoSession::new(channel, publish_to, who.token.clone(), self.recovers, resume))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{adapter::trial::Trial, config::tests::config};

    const CONNECTED: &str = r#"{"id":1,"connect":{"client":"9ac9de4e-5289-4ad6-9aa7-8447f007083e","version":"6.5.0","ping":25,"pong":true}}"#;

    fn begun(resume: Option<&str>) -> (Trial, Vec<String>) {
        let config = config("--adapter centrifugo --channel news");
        let mut trial = Trial::start(&Centrifugo::new(&config.adapter, config.replay), resume);
        assert_eq!(trial.opened(), [r#"reply {"connect":{"name":"muster-loadgen","token":"token-7"},"id":1}"#]);
        let told = trial.text(CONNECTED);
        (trial, told)
    }

    #[test]
    fn a_terminal_is_ready_when_its_subscription_is_confirmed() {
        let (mut trial, told) = begun(None);
        assert_eq!(told, [r#"reply {"id":2,"subscribe":{"channel":"news","recoverable":true}}"#]);
        assert_eq!(trial.text(r#"{"id":2,"subscribe":{}}"#), ["ready silence 35s"]);
        assert_eq!(trial.text(r#"{"push":{"channel":"news","pub":{"data":"M1ab"}}}"#), ["payload M1ab copy 0"]);
        assert_eq!(trial.text("{}"), ["reply {}"]);
        let two = "{\"push\":{\"channel\":\"news\",\"pub\":{\"data\":\"a\"}}}\n{\"push\":{\"channel\":\"news\",\"pub\":{\"data\":\"b\"}}}\n";
        assert_eq!(trial.text(two), ["payload a copy 0", "payload b copy 0"]);
        assert_eq!(trial.resume_state(), None, "the channel has no history");
    }

    #[test]
    fn what_was_missed_is_recovered_from_the_last_offset() {
        let (mut trial, _) = begun(None);
        trial.text(r#"{"id":2,"subscribe":{"recoverable":true,"epoch":"xyz","positioned":true}}"#);
        trial.text(r#"{"push":{"channel":"news","pub":{"data":"a","offset":1}}}"#);
        let state = trial.resume_state();
        assert_eq!(state.as_deref(), Some("1 xyz"));

        let (mut trial, told) = begun(state.as_deref());
        let asked = r#"{"channel":"news","epoch":"xyz","offset":1,"recover":true,"recoverable":true}"#;
        assert_eq!(told, [format!(r#"reply {{"id":2,"subscribe":{asked}}}"#)]);
        let told = trial.text(
            r#"{"id":2,"subscribe":{"recoverable":true,"epoch":"xyz","publications":[{"data":"b","offset":2}],"recovered":true,"offset":2,"positioned":true,"was_recovering":true}}"#,
        );
        assert_eq!(told, ["ready resumed silence 35s", "payload b copy 0"]);
        assert_eq!(trial.resume_state().as_deref(), Some("2 xyz"));

        let (mut trial, _) = begun(state.as_deref());
        let told =
            trial.text(r#"{"id":2,"subscribe":{"recoverable":true,"epoch":"new","offset":9,"was_recovering":true}}"#);
        assert_eq!(told, ["ready silence 35s", "gap"]);
        assert_eq!(trial.resume_state().as_deref(), Some("9 new"));
    }

    #[test]
    fn refusals_and_answers_are_told_apart() {
        let (mut trial, _) = begun(None);
        let told = trial.text(r#"{"id":2,"error":{"code":103,"message":"permission denied"}}"#);
        assert_eq!(told, ["refused: the server refused the subscription: 103 permission denied"]);
        let published = trial.published("M1", 4);
        assert_eq!(published, (r#"{"id":7,"publish":{"channel":"news","data":"M1"}}"#.to_owned(), Some(7)));
        assert_eq!(trial.text(r#"{"id":7,"publish":{}}"#), ["published 7"]);
        assert_eq!(trial.text(r#"{"id":8,"error":{"code":11,"message":"x"}}"#), ["published 8: 11 x"]);
        let told = trial.text(r#"{"push":{"disconnect":{"code":3001,"reason":"shutdown"}}}"#);
        assert_eq!(told, ["refused: the server ended the subscription: 3001 shutdown"]);
        assert_eq!(trial.text("["), ["malformed"]);
    }
}
