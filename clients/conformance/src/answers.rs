//! What a scenario asks of a command: whether the program was given it, and what the client answered.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::{
    link::Link,
    recording::{Observed, Recorded},
    stage::{Stage, Stop, frames, lines},
    timing::SOON,
};

impl Stage {
    /// Waits for the first frame of this type about the command.
    pub async fn answer(
        &mut self,
        rule: &'static str,
        link: &Link,
        kind: &str,
        id: &str,
        expected: &str,
    ) -> Result<Value, Stop> {
        self.answers(rule, link, (kind, 1), id, expected).await
    }

    /// Waits for as many frames of this type about the command. Returns the last of them.
    pub async fn answers(
        &mut self,
        rule: &'static str,
        link: &Link,
        (kind, count): (&str, usize),
        id: &str,
        expected: &str,
    ) -> Result<Value, Stop> {
        let number = link.number;
        self.must(rule, expected, |recorded| {
            let mut about = frames(recorded, number, kind).map(|(_, frame)| frame).filter(|frame| frame["id"] == *id);
            about.nth(count - 1).cloned()
        })
        .await
    }

    /// Sends a command `echo` and waits for its result: whatever came before was looked at then.
    pub async fn echo(&mut self, rule: &'static str, link: &mut Link, expected: &str) -> Result<(), Stop> {
        let id = self.new_id();
        link.command(&id, "echo", json!({ "payload": "still there" })).await;
        self.answer(rule, link, "result", &id, expected).await?;
        Ok(())
    }

    /// Waits until the program is given the command. Returns when, and the line.
    pub async fn run(&mut self, rule: &'static str, id: &str, expected: &str) -> Result<(Instant, Value), Stop> {
        self.must(rule, expected, |recorded| {
            let mut runs = lines(recorded, "command").filter(|(_, line)| line["id"] == *id);
            runs.next().map(|(at, line)| (at, line.clone()))
        })
        .await
    }

    /// How often the program was given the command.
    pub fn runs(&self, id: &str) -> usize {
        self.recording.ask(|recorded| lines(recorded, "command").filter(|(_, line)| line["id"] == *id).count())
    }

    /// Waits until the program that was started last has ended. Returns its code. None if it still runs.
    pub async fn exited(&self, within: Duration) -> Option<Option<i32>> {
        self.recording.wait(within, ended_last).await
    }

    /// Demands that the program ends with 0, and that no connection comes before.
    pub async fn must_stay_away(&mut self, rule: &'static str, after: &str) -> Result<(), Stop> {
        let recording = self.recording.clone();
        let ended = recording.wait(SOON, ended_last);
        let came_back = tokio::select! {
            biased;
            code = ended => Err(code),
            connected = self.connected(0, SOON + Duration::from_secs(1)) => Ok(connected.is_some()),
        };
        let expected = format!("after {after} the client does not come back, and the program ends with 0");
        match came_back {
            Err(Some(code)) => self.check(rule, code == Some(0), &expected, || format!("it ended with {code:?}")),
            Err(None) => self.check(rule, false, &expected, || "the program still runs".into()),
            Ok(_) => self.check(rule, false, &expected, || "it came back".into()),
        }
        Ok(())
    }
}

/// How the program that was started last has ended, if it has.
fn ended_last(recorded: &[Recorded]) -> Option<Option<i32>> {
    let started = recorded.iter().filter(|it| it.what == Observed::Started).count();
    let code = |it: &Recorded| if let Observed::Exited(code) = it.what { Some(code) } else { None };
    recorded.iter().filter_map(code).nth(started.checked_sub(1)?)
}
