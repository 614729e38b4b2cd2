//! Codes that terminals trade for their first token.

use hyper::Method;
use muster_protocol::api::{Enrolment, EnrolmentRequest, NewEnrolment};

use crate::{
    api::{ClusterApi, ListQuery},
    cli::{EnrolMake, EnrolVerb, RowLimit},
    exit::Exit,
    list::ShownList,
    text::{Printer, ago, enrolment_words, labels, moment, note, one_line, word},
};

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
        note(&one_line(&format!(
            "enrolment {}, until {until}: {}",
            made.enrolment.id,
            enrolment_words(&made.enrolment)
        )));
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

fn path(id: &str) -> anyhow::Result<String> {
    anyhow::ensure!(
        !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-'),
        "an id of an enrolment has letters, digits and hyphens, as muster enrol ls shows it"
    );
    Ok(format!("/v1/enrolments/{id}"))
}
