//! What a scenario has: a port or several, the program, its token and state, and the verdicts on the rules so far.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs,
    future::Future,
    path::PathBuf,
    time::{Duration, Instant},
};

use jiff::{SignedDuration, Timestamp};
use muster_protocol::token::{Secret, TerminalClaims, sign};
use serde_json::Value;
use tempfile::TempDir;
use tokio::time::timeout;

use crate::{
    fake_port::{Connected, FakePort},
    policy::PolicyTimes,
    program::TestedProgram,
    recording::{Observed, Recorded, Recording},
    report::{Break, Verdict},
    timing::SOON,
};

/// The id of the terminal in every scenario.
pub const TERMINAL: &str = "kit-1";
/// It is published here, and so is no secret.
const SECRET: &str = "kit=0123456789abcdef0123456789abcdef";
/// How many lines of the recording are shown where a rule is broken.
const TAIL: usize = 14;
/// How much of standard error is shown, in bytes.
const ERRORS: usize = 2000;

/// The scenario can't go on: a rule is broken on which the rest depends. The verdict is given already.
#[derive(Debug)]
pub struct Stop;

/// The stage of one scenario.
pub struct Stage {
    /// What happened so far.
    pub recording: Recording,
    /// The times that the program is given.
    pub policy: PolicyTimes,
    /// What the node's clock says, less what this machine's clock says.
    pub clock: SignedDuration,
    ports: Vec<FakePort>,
    command: Vec<OsString>,
    folder: TempDir,
    program: Option<TestedProgram>,
    verdicts: BTreeMap<&'static str, Verdict>,
    links: usize,
    commands: usize,
}

impl Stage {
    /// A stage with one port, on which nothing happens yet.
    pub async fn new(command: &[OsString]) -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("muster-kit").tempdir()?;
        fs::create_dir(folder.path().join("state"))?;
        let stage = Self {
            recording: Recording::new(),
            policy: PolicyTimes::default(),
            clock: SignedDuration::ZERO,
            ports: vec![FakePort::open().await?],
            command: command.to_vec(),
            folder,
            program: None,
            verdicts: BTreeMap::new(),
            links: 0,
            commands: 0,
        };
        stage.replace_token(&stage.token_for(3600));
        Ok(stage)
    }

    /// Adds a second port, whose URL the program is told too.
    pub async fn add_port(&mut self) {
        self.ports.push(FakePort::open().await.expect("this machine has free ports"));
    }

    /// Starts the program, or starts it again with the same state.
    pub fn start(&mut self) {
        self.program = None;
        let urls: Vec<String> = self.ports.iter().map(FakePort::url).collect();
        let policy = serde_json::to_string(&self.policy).unwrap_or_default();
        let environment = [
            ("MUSTER_URL", urls.join(",")),
            ("MUSTER_TERMINAL", TERMINAL.to_owned()),
            ("MUSTER_TOKEN_FILE", self.path("token").display().to_string()),
            ("MUSTER_STATE", self.path("state").display().to_string()),
            ("MUSTER_POLICY", policy),
        ];
        // The runner has started it once before, so this is no wrong command.
        let started = TestedProgram::start(&self.command, &environment, &self.path("errors"), &self.recording);
        self.program = Some(started.expect("the program can be started again"));
    }

    /// Ends the program, as a power failure would.
    pub fn kill(&mut self) {
        self.program = None;
    }

    /// A token that is valid for so many seconds by the node's clock.
    pub fn token_for(&self, seconds: u64) -> String {
        let now = (Timestamp::now() + self.clock).as_second() as u64;
        let mut claims = TerminalClaims::new(TERMINAL.parse().expect("a valid id"), now + seconds);
        claims.jti = Some(format!("kit-{}", Timestamp::now().as_nanosecond()));
        sign(&SECRET.parse::<Secret>().expect("a valid secret"), &claims)
    }

    /// The token that the file has now.
    pub fn token(&self) -> String {
        fs::read_to_string(self.path("token")).unwrap_or_default()
    }

    /// Replaces the token's file by rename.
    pub fn replace_token(&self, token: &str) {
        fs::write(self.path("next"), token).expect("the folder can be written");
        fs::rename(self.path("next"), self.path("token")).expect("the folder can be written");
    }

    /// Removes the token's file.
    pub fn remove_token(&self) {
        let _ = fs::remove_file(self.path("token"));
    }

    /// A new id for a command.
    pub fn new_id(&mut self) -> String {
        self.commands += 1;
        format!("0190163d-8694-739b-aea5-{:012x}", self.commands)
    }

    /// The number of the next connection.
    pub(crate) fn next_number(&mut self) -> usize {
        self.links += 1;
        self.links
    }

    /// Waits for the next connection at a port, at most this long. None if none comes.
    pub async fn connected(&mut self, port: usize, within: Duration) -> Option<Connected> {
        timeout(within, self.ports[port].next()).await.ok()
    }

    /// Waits for the next connection at either of two ports. Returns the port too.
    pub async fn connected_somewhere(&mut self, within: Duration) -> Option<(usize, Connected)> {
        let [first, second, ..] = &mut self.ports[..] else { return None };
        timeout(within, async {
            tokio::select! {
                connected = first.next() => (0, connected),
                connected = second.next() => (1, connected),
            }
        })
        .await
        .ok()
    }

    /// Waits for what must happen. If it does not happen soon, the rule is broken and the scenario stops.
    pub async fn must<T>(
        &mut self,
        rule: &'static str,
        expected: &str,
        ask: impl Fn(&[Recorded]) -> Option<T>,
    ) -> Result<T, Stop> {
        let answer = self.recording.wait(SOON, ask).await;
        self.some(rule, answer, expected)
    }

    /// What must be there. If it is not, the rule is broken and the scenario stops.
    pub fn some<T>(&mut self, rule: &'static str, answer: Option<T>, expected: &str) -> Result<T, Stop> {
        self.check(rule, answer.is_some(), expected, || "nothing of the kind in time".into());
        answer.ok_or(Stop)
    }

    /// Judges a rule, and goes on. The first break of a rule counts.
    pub fn check(&mut self, rule: &'static str, holds: bool, expected: &str, seen: impl FnOnce() -> String) {
        if self.verdicts.get(rule).is_some_and(Verdict::is_broken) {
            return;
        }
        let verdict = if holds {
            Verdict::Kept
        } else {
            Verdict::Broken(Break {
                expected: expected.to_owned(),
                seen: seen(),
                recording: self.recording.tail(TAIL),
                errors: self.errors(),
            })
        };
        self.verdicts.insert(rule, verdict);
    }

    /// Judges a rule, and stops the scenario if it is broken.
    pub fn demand(
        &mut self,
        rule: &'static str,
        holds: bool,
        expected: &str,
        seen: impl FnOnce() -> String,
    ) -> Result<(), Stop> {
        self.check(rule, holds, expected, seen);
        if holds { Ok(()) } else { Err(Stop) }
    }

    /// Judges the time between two moments: at least `least`, and at most `most` if there is one.
    pub fn check_delay(
        &mut self,
        rule: &'static str,
        (from, to): (Instant, Instant),
        least: Duration,
        most: Option<Duration>,
        what: &str,
    ) {
        let delay = to.saturating_duration_since(from);
        let holds = delay + crate::timing::EARLY >= least && most.is_none_or(|most| delay <= most);
        let expected = match most {
            Some(most) => format!("{what} after {least:?} to {most:?}"),
            None => format!("{what} after {least:?} at the earliest"),
        };
        self.check(rule, holds, &expected, || format!("after {delay:?}"));
    }

    /// Waits for a line that the program prints.
    pub async fn printed(
        &mut self,
        rule: &'static str,
        saw: &str,
        expected: &str,
        holds: impl Fn(&Value) -> bool,
    ) -> Result<Value, Stop> {
        self.must(rule, expected, |recorded| {
            lines(recorded, saw).map(|(_, line)| line).find(|line| holds(line)).cloned()
        })
        .await
    }

    /// The verdicts, once the scenario has ended.
    pub fn into_verdicts(self) -> BTreeMap<&'static str, Verdict> {
        self.verdicts
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The end of what the program said on standard error.
    fn errors(&self) -> String {
        let text = fs::read(self.path("errors")).unwrap_or_default();
        String::from_utf8_lossy(&text[text.len().saturating_sub(ERRORS)..]).into_owned()
    }
}

/// The printed lines of this kind, with their times.
pub fn lines<'a>(recorded: &'a [Recorded], saw: &str) -> impl Iterator<Item = (Instant, &'a Value)> {
    recorded.iter().filter_map(move |it| match &it.what {
        Observed::Printed(line) if line["saw"] == *saw => Some((it.at, line)),
        _ => None,
    })
}

/// The frames of this type on this connection, with their times.
pub fn frames<'a>(recorded: &'a [Recorded], link: usize, kind: &str) -> impl Iterator<Item = (Instant, &'a Value)> {
    recorded.iter().filter_map(move |it| match &it.what {
        Observed::Frame(on, frame) if *on == link && frame["type"] == *kind => Some((it.at, frame)),
        _ => None,
    })
}

/// Lets a scenario be written as an async function and called through a pointer.
pub type Playing<'a> = std::pin::Pin<Box<dyn Future<Output = Result<(), Stop>> + Send + 'a>>;
