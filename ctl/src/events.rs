//! Follows what happens. A lost stream begins again after the last event that was read.

use std::time::Duration;

use serde_json::{Map, Value};
use tokio::{
    signal::ctrl_c,
    time::{Instant, sleep},
};

use crate::{
    api::{ApiError, ClusterApi, ListQuery, ServerEvent},
    cli::EventFlags,
    exit::Exit,
    text::{Printer, note, one_line},
};

/// The wait before the second attempt to open a stream that was lost.
const FIRST_WAIT: Duration = Duration::from_millis(500);
/// The longest wait between two attempts.
const WAIT_MAX: Duration = Duration::from_secs(10);
/// After a stream that lasted this long, the waits begin anew.
const STEADY: Duration = Duration::from_secs(30);

/// Prints events until Ctrl-C.
pub async fn follow(api: &ClusterApi, out: &Printer, filter: EventFlags) -> anyhow::Result<Exit> {
    let kinds = (!filter.kind.is_empty()).then(|| filter.kind.join(","));
    let query = ListQuery::new("/v1/events")
        .with("kind", kinds)
        .with("terminal", filter.terminal)
        .with("command", filter.command)
        .with_labels("selector", &filter.label)
        .with("match", filter.expression);
    let path = query.path();
    tokio::select! {
        done = read_on(api, out, &path, filter.after) => done,
        _ = ctrl_c() => Ok(Exit::Interrupted),
    }
}

async fn read_on(api: &ClusterApi, out: &Printer, path: &str, mut after: Option<String>) -> anyhow::Result<Exit> {
    let (mut wait, mut opened) = (FIRST_WAIT, false);
    loop {
        let began = Instant::now();
        let lost = match read(api, out, path, &mut after, &mut opened).await {
            Ok(()) => "the node ended the stream".to_owned(),
            Err(error) => match error.downcast::<ApiError>() {
                Ok(error) if opened && error.is_passing() => error.to_string(),
                Ok(error) => return Err(error.into()),
                Err(error) => return Err(error),
            },
        };
        wait = if began.elapsed() > STEADY { FIRST_WAIT } else { (wait * 2).min(WAIT_MAX) };
        note(&one_line(&format!("{lost}; trying again in {wait:?}")));
        sleep(wait).await;
    }
}

async fn read(
    api: &ClusterApi,
    out: &Printer,
    path: &str,
    after: &mut Option<String>,
    opened: &mut bool,
) -> anyhow::Result<()> {
    let mut stream = api.events(path, after.as_deref()).await?;
    *opened = true;
    while let Some(event) = stream.next().await? {
        if !event.kind.is_empty() {
            out.either(&json(&event), || line(&event))?;
        }
        if event.id.is_some() {
            *after = event.id;
        }
    }
    Ok(())
}

fn json(event: &ServerEvent) -> String {
    let text = |text: &str| Value::from(text).to_string();
    let id = event.id.as_deref().map_or("null".to_owned(), text);
    let data = if event.data.is_empty() { "null" } else { &event.data };
    format!("{{\"id\":{id},\"event\":{},\"data\":{data}}}", text(&event.kind))
}

/// Returns the event for people: when, what, whom, and then the other fields.
fn line(event: &ServerEvent) -> String {
    let mut data: Map<String, Value> = serde_json::from_str(&event.data).unwrap_or_default();
    let mut take = |name: &str| match data.remove(name) {
        Some(Value::String(text)) => text,
        Some(other) => other.to_string(),
        None => String::new(),
    };
    let whom = [take("terminal"), take("command")].into_iter().filter(|id| !id.is_empty());
    let mut words = vec![take("at"), event.kind.clone()];
    words.extend(whom);
    words.extend(data.into_iter().map(|(name, value)| match value {
        Value::String(text) => format!("{name}={text}"),
        other => format!("{name}={other}"),
    }));
    words.retain(|word| !word.is_empty());
    one_line(&words.join("  "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_a_line() {
        let data = r#"{"terminal":"t1","at":"2026-01-01T00:00:00Z","reason":"left","code":1000}"#;
        let event = ServerEvent { id: Some("7".into()), kind: "terminal.offline".into(), data: data.into() };
        assert_eq!(line(&event), "2026-01-01T00:00:00Z  terminal.offline  t1  code=1000  reason=left");
        assert_eq!(json(&event), format!(r#"{{"id":"7","event":"terminal.offline","data":{data}}}"#));
    }
}
