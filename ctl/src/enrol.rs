//! Codes that terminals trade for their first token.

use std::time::Duration;

use clap::{Args, Subcommand};
use hyper::Method;
use muster_protocol::{
    TerminalId,
    api::{Enrolment, EnrolmentRequest, NewEnrolment},
};

use crate::{
    api::{ClusterApi, ListQuery},
    cli::{RowLimit, label},
    completion::CandidateKind,
    exit::Exit,
    list::ShownList,
    terminals::{labels, word},
    text::{Printer, ago, moment, note, one_line},
};

#[derive(Debug, Subcommand)]
pub enum EnrolVerb {
    /// Make a code and print it. Nobody can look it up later
    #[command(visible_alias = "new")]
    Make(EnrolMake),
    /// List the codes whose token was not given out, those first that end first
    Ls {
        #[command(flatten)]
        limit: RowLimit,
    },
    /// Let the terminal that has used a code have its token
    Approve {
        /// The id, as `muster enrol ls` shows it
        #[arg(add = CandidateKind::Enrolments.completer())]
        id: String,
    },
    /// Remove a code: it can't be used any more
    Rm {
        /// The id, as `muster enrol ls` shows it
        #[arg(add = CandidateKind::Enrolments.completer())]
        id: String,
    },
}

/// A code, and the token that a terminal gets for it.
#[derive(Debug, Args)]
pub struct EnrolMake {
    /// The only terminal that may use the code. Default: whichever has the code
    #[arg(long, value_name = "ID", add = CandidateKind::Terminals.completer())]
    pub terminal: Option<TerminalId>,
    /// A label in the terminal's token. Repeat the flag for more
    #[arg(long, short = 'l', value_name = "KEY=VALUE", value_parser = label, add = CandidateKind::Labels.completer())]
    pub label: Vec<(String, String)>,
    /// How long the code can be used
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = humantime::parse_duration)]
    pub expires_in: Duration,
    /// How long the token is valid
    #[arg(long, value_name = "TIME", default_value = "30d", value_parser = humantime::parse_duration)]
    pub valid_for: Duration,
    /// Let the terminal renew its token, each time for so long
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    pub renew: Option<Duration>,
    /// Have an operator approve the terminal that uses the code
    #[arg(long)]
    pub approve: bool,
}

/// Does what is asked of the codes.
pub async fn run(api: &ClusterApi, out: &Printer, verb: EnrolVerb) -> anyhow::Result<Exit> {
    match verb {
        EnrolVerb::Make(make) => self::make(api, out, make).await,
        EnrolVerb::Ls { limit } => list(api, out, limit).await,
        EnrolVerb::Approve { id } => {
            let answer = api.call(Method::POST, &format!("{}/approve", path(&id)?)).await?;
            out.either(&answer.text(), || format!("{id}: approved; the terminal has its token when it asks again"))?;
            Ok(Exit::Done)
        }
        EnrolVerb::Rm { id } => {
            let answer = api.call(Method::DELETE, &path(&id)?).await?;
            out.either(&answer.text(), || format!("{id}: removed"))?;
            Ok(Exit::Done)
        }
    }
}

async fn make(api: &ClusterApi, out: &Printer, make: EnrolMake) -> anyhow::Result<Exit> {
    let EnrolMake { terminal, label, expires_in, valid_for, renew, approve } = make;
    let labels = label.into_iter().collect();
    let request = EnrolmentRequest { terminal, labels, expires_in, valid_for, renew, approve };
    let answer = api.send(Method::POST, "/v1/enrolments", serde_json::to_string(&request)?, None).await?;
    let made: NewEnrolment = answer.read()?;
    if !out.is_json() {
        let until = moment(made.enrolment.expires_at);
        note(&one_line(&format!("enrolment {}, until {until}: {}", made.enrolment.id, described(&made.enrolment))));
    }
    out.either(&answer.text(), || made.code)?;
    Ok(Exit::Done)
}

async fn list(api: &ClusterApi, out: &Printer, limit: RowLimit) -> anyhow::Result<Exit> {
    let shown = ShownList {
        field: "enrolments",
        cursor: "after",
        head: ["ENROLMENT", "STATE", "TERMINAL", "ADDRESS", "LABELS", "AGE", "BY", "UNTIL"],
        cells,
    };
    shown.print(api, out, ListQuery::new("/v1/enrolments"), limit).await
}

fn cells(enrolment: &Enrolment) -> [String; 8] {
    [
        enrolment.id.clone(),
        word(&enrolment.state),
        enrolment.terminal.as_ref().map_or("any".to_owned(), ToString::to_string),
        enrolment.address.clone().unwrap_or_else(|| "-".to_owned()),
        labels(&enrolment.labels),
        ago(enrolment.created_at),
        if enrolment.by.is_empty() { "-".to_owned() } else { enrolment.by.clone() },
        moment(enrolment.expires_at),
    ]
}

/// For whom a code is, and where it stands.
pub fn described(enrolment: &Enrolment) -> String {
    let whom = enrolment.terminal.as_ref().map_or("any terminal".to_owned(), ToString::to_string);
    let approval = if enrolment.approve { ", to be approved" } else { "" };
    format!("{}, for {whom}{approval}", word(&enrolment.state))
}

fn path(id: &str) -> anyhow::Result<String> {
    anyhow::ensure!(
        !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-'),
        "an id of an enrolment has letters, digits and hyphens, as muster enrol ls shows it"
    );
    Ok(format!("/v1/enrolments/{id}"))
}
