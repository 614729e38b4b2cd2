//! How the program breaks a rule on purpose: by its configuration, by what it prints and sends, or by a relay.

use std::{fs, time::Duration};

use clap::ValueEnum;
use muster_client::{Config, Incoming};
use muster_protocol::api::Protocol;
use serde_json::{Value, json};

/// The rule that is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "UPPER")]
pub enum BrokenRule {
    R1,
    R2,
    R3,
    R5,
    R6,
    R7,
    R8,
    R9,
    R10,
    R11,
    R12,
    R14,
    R15,
    R16,
    R17,
    R18,
    R19,
    R20,
    R21,
    R22,
    R23,
    R24,
    R25,
    R26,
    R27,
    R28,
    R29,
    R30,
    R32,
    R33,
    R34,
    R35,
    R36,
    R37,
}

impl BrokenRule {
    /// Changes the configuration so that the rule is broken, if that breaks it.
    pub fn change(self, config: &mut Config) {
        match self {
            Self::R1 => config.urls.iter_mut().for_each(|url| *url = url.replace("/ws", "/socket")),
            Self::R2 => config.urls.iter_mut().for_each(|url| url.push_str("?token=abc")),
            Self::R3 => config.protocol = Protocol::Plain,
            Self::R5 => config.labels.clear(),
            Self::R8 => config.acknowledge = false,
            Self::R17 => config.cursor = Some("c-of-nobody".into()),
            Self::R20 | Self::R21 => config.policy.hint_cap = Duration::ZERO,
            Self::R22 => (config.policy.first, config.policy.cap) = (Duration::ZERO, Duration::ZERO),
            Self::R23 => config.policy.stable = Duration::ZERO,
            Self::R24 => config.urls.truncate(1),
            Self::R25 => config.policy.slow = Duration::ZERO,
            Self::R27 => {
                // A fixed text in place of the file.
                let file = std::env::var("MUSTER_TOKEN_FILE").unwrap_or_default();
                config.token = fs::read_to_string(file).ok().and_then(|text| text.trim().parse().ok());
            }
            Self::R34 => config.deadline = Duration::from_secs(3600),
            Self::R35 => config.memory = None,
            _ => {}
        }
    }

    /// Whether the rule is broken on the wire, by a relay between the client and the kit.
    pub fn needs_relay(self) -> bool {
        use BrokenRule::*;
        matches!(self, R6 | R7 | R11 | R12 | R14 | R15 | R19 | R26 | R28 | R30 | R33 | R36)
    }

    /// Whether the program keeps this report to itself.
    pub fn hides(self, report: &Incoming) -> bool {
        self == Self::R16 && matches!(report, Incoming::Gap(_))
    }

    /// A line for what the program must not have seen.
    pub fn line_of(self, report: &Incoming) -> Option<Value> {
        match (self, report) {
            (Self::R9, Incoming::Repeated(id)) | (Self::R10, Incoming::Expired(id)) => {
                Some(json!({ "saw": "command", "id": id, "name": "echo", "payload": null }))
            }
            _ => None,
        }
    }
}
