//! The protocol of a raw server, as flags describe it.

use std::{str::FromStr, time::Duration};

use anyhow::ensure;
use clap::Args;

use crate::{pattern::Pattern, template::Template};

/// The protocol of a raw server. By default each frame is a message, and a terminal that is connected is ready.
#[derive(Debug, Clone, Default, Args)]
pub struct RawSettings {
    /// With a raw server: a message that each terminal sends once it is connected. May be given several times, and may name
    /// {n}, {id}, {seed} and {credential}
    #[arg(long, value_name = "TEMPLATE", value_parser = Template::of_terminal)]
    pub first_message: Vec<Template>,

    /// With a raw server: messages are binary frames
    #[arg(long)]
    pub binary: bool,

    /// With a raw server: a terminal is ready, and so owed messages, once a frame has come that is as this pattern. * stands for
    /// any text
    #[arg(long, value_name = "PATTERN", value_parser = pattern)]
    pub ready_when: Option<Pattern>,

    /// With a raw server: each frame is JSON, and the message is the text at this JSON pointer, such as /data/text. A frame that
    /// has no text there is no message
    #[arg(long, value_name = "POINTER", value_parser = pointer)]
    pub payload_at: Option<String>,

    /// With a raw server: how often a terminal sends a ping, a frame of WebSocket or the --ping-message
    #[arg(long = "ping", value_name = "TIME", value_parser = humantime::parse_duration)]
    pub ping_every: Option<Duration>,

    /// With --ping: the message that is the ping. May name {n}, {id}, {seed} and {credential}
    #[arg(long, value_name = "TEMPLATE", value_parser = Template::of_terminal, requires = "ping_every")]
    pub ping_message: Option<Template>,

    /// With a raw server: what a terminal answers to a frame that is as this pattern, and that is no message but a ping or a
    /// question: ping=pong. * stands for any text, and {match} in the answer is what the first * stands for: 'ping *=pong
    /// {match}'. The first = ends the pattern. May be given several times; the first pattern that fits counts
    #[arg(long, value_name = "PATTERN=TEMPLATE")]
    pub answer: Vec<FrameAnswer>,
}

/// A ping that terminals send.
#[derive(Debug, Clone)]
pub struct FramePing {
    /// The time from one ping to the next.
    pub every: Duration,
    /// The message; `None` for a ping of WebSocket.
    pub message: Option<Template>,
}

/// Frames of a server, and the answer to them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FrameAnswer {
    /// What the whole text of such a frame is like.
    pub to: Pattern,
    /// The answer.
    pub with: Template,
}

impl FromStr for FrameAnswer {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (to, with) = text.split_once('=').ok_or("an answer is PATTERN=TEMPLATE, such as ping=pong")?;
        Ok(Self { to: Pattern::new(to), with: Template::of_answer(with)? })
    }
}

impl RawSettings {
    /// The ping that terminals send, if any.
    pub fn ping(&self) -> Option<FramePing> {
        self.ping_every.map(|every| FramePing { every, message: self.ping_message.clone() })
    }

    /// The flags that are given, which another adapter has no use for.
    pub fn given(&self) -> impl Iterator<Item = &'static str> {
        let flags = [
            ("--first-message", !self.first_message.is_empty()),
            ("--binary", self.binary),
            ("--ready-when", self.ready_when.is_some()),
            ("--payload-at", self.payload_at.is_some()),
            ("--ping", self.ping_every.is_some()),
            ("--answer", !self.answer.is_empty()),
        ];
        flags.into_iter().filter(|(_, is_given)| *is_given).map(|(flag, _)| flag)
    }

    /// Fails if a value makes no sense.
    pub fn check(&self) -> anyhow::Result<()> {
        ensure!(self.ping_every.is_none_or(|every| !every.is_zero()), "--ping must be longer than 0s");
        Ok(())
    }

    /// The texts that name a terminal.
    pub fn templates(&self) -> impl Iterator<Item = &Template> {
        let answers = self.answer.iter().map(|answer| &answer.with);
        self.first_message.iter().chain(&self.ping_message).chain(answers)
    }
}

fn pattern(text: &str) -> Result<Pattern, String> {
    if text.is_empty() { Err("it is the text of a frame, with * for any text".into()) } else { Ok(Pattern::new(text)) }
}

fn pointer(text: &str) -> Result<String, String> {
    if text.starts_with('/') {
        Ok(text.to_owned())
    } else {
        Err("a JSON pointer begins with /, such as /data/text".into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_a_pattern_and_a_template() {
        let answer: FrameAnswer = "ping *=pong {match}=".parse().unwrap();
        assert_eq!(answer.to, Pattern::new("ping *"));
        assert_eq!(answer.with.fill(|name| format!("<{name}>")), "pong <match>=");
        assert!("ping".parse::<FrameAnswer>().is_err() && "ping={word}".parse::<FrameAnswer>().is_err());
        assert!(pointer("data").is_err() && pattern("").is_err());
    }
}
