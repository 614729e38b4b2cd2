//! Notices: lists, sets, tries and removes them, and shows what became of their messages.

use hyper::Method;
use muster_protocol::{
    NoticeName,
    api::{AttemptResult, NewNotice, NoticeAttempt, NoticeRequest, NoticeView},
};

use crate::{
    api::{ClusterApi, ListQuery},
    cli::{NoticeVerb, RowLimit},
    exit::Exit,
    list::ShownList,
    text::{Printer, ago, grouped, note, notice_words, one_line},
};

/// Does what is asked of notices.
pub async fn run(api: &ClusterApi, out: &Printer, verb: NoticeVerb) -> anyhow::Result<Exit> {
    match verb {
        NoticeVerb::Ls { limit } => list(api, out, limit).await,
        NoticeVerb::Set { name, url, on, off_for, expression } => {
            let request = NoticeRequest { url, on: on.into_iter().collect(), off_for, expression, secret: None };
            set(api, out, &name, &request).await
        }
        NoticeVerb::Rm { name } => remove(api, out, &name).await,
        NoticeVerb::Test { name } => test(api, out, &name).await,
        NoticeVerb::Attempts { name, limit } => attempts(api, out, &name, limit).await,
    }
}

async fn list(api: &ClusterApi, out: &Printer, limit: RowLimit) -> anyhow::Result<Exit> {
    let head = ["NOTICE", "ON", "TO", "WAITING", "LOST"];
    let shown = ShownList { field: "notices", cursor: "after", head, cells: notice_cells };
    shown.print(api, out, ListQuery::new("/v1/notices"), limit).await
}

fn notice_cells(notice: &NoticeView) -> [String; 5] {
    [
        notice.name.to_string(),
        notice_words(notice),
        origin(&notice.url).to_owned(),
        grouped(notice.waiting),
        grouped(notice.lost),
    ]
}

/// Returns a URL without its path, which is often a secret. `--json` shows the whole URL.
fn origin(url: &str) -> &str {
    let host = url.find("://").map_or(0, |scheme| scheme + 3);
    let end = url[host..].find(['/', '?', '#']).map_or(url.len(), |path| host + path);
    &url[..end]
}

/// Sets a notice. Prints the secret if the node has made one.
async fn set(api: &ClusterApi, out: &Printer, name: &NoticeName, request: &NoticeRequest) -> anyhow::Result<Exit> {
    let answer = api.send(Method::PUT, &path(name, ""), serde_json::to_string(request)?, None).await?;
    let set: NewNotice = answer.read()?;
    let secret = set.secret.map(|secret| secret.0);
    if !out.is_json() {
        let what = if secret.is_some() { "; its secret, which is shown this once:" } else { "; its secret stays" };
        note(&format!("notice {name} is set{what}"));
    }
    if secret.is_some() || out.is_json() {
        out.either(&answer.text(), || secret.unwrap_or_default())?;
    }
    Ok(Exit::Done)
}

async fn remove(api: &ClusterApi, out: &Printer, name: &NoticeName) -> anyhow::Result<Exit> {
    let answer = api.call(Method::DELETE, &path(name, "")).await?;
    out.either(&answer.text(), || format!("{name}: removed"))?;
    Ok(Exit::Done)
}

/// Has a node post a message at once. Ends with 2 if the message was not delivered.
async fn test(api: &ClusterApi, out: &Printer, name: &NoticeName) -> anyhow::Result<Exit> {
    let answer = api.call(Method::POST, &path(name, "/test")).await?;
    let attempt: NoticeAttempt = answer.read()?;
    out.either(&answer.text(), || one_line(&format!("{name}: {}", became(&attempt))))?;
    Ok(if attempt.result == AttemptResult::Delivered { Exit::Done } else { Exit::SomeFailed })
}

async fn attempts(api: &ClusterApi, out: &Printer, name: &NoticeName, limit: RowLimit) -> anyhow::Result<Exit> {
    let head = ["AGE", "KIND", "MESSAGE", "ATTEMPT", "TOOK", "RESULT"];
    let shown = ShownList { field: "attempts", cursor: "after", head, cells: attempt_cells };
    shown.print(api, out, ListQuery::of("/v1/notices", name, "/attempts"), limit).await
}

fn attempt_cells(attempt: &NoticeAttempt) -> [String; 6] {
    [
        ago(attempt.at),
        attempt.kind.name().to_owned(),
        attempt.message.to_string(),
        attempt.attempt.to_string(),
        format!("{} ms", grouped(attempt.took_ms)),
        became(attempt),
    ]
}

/// Returns what became of an attempt: the result, the status and the reason.
fn became(attempt: &NoticeAttempt) -> String {
    let status = attempt.status.map(|status| format!(" ({status})")).unwrap_or_default();
    let error = attempt.error.as_ref().map(|error| format!(": {error}")).unwrap_or_default();
    format!("{}{status}{error}", attempt.result.name())
}

fn path(name: &NoticeName, rest: &str) -> String {
    format!("/v1/notices/{name}{rest}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_shown_without_its_path() {
        for (url, shown) in [
            ("https://hooks.example:8443/services/secret?x=/", "https://hooks.example:8443"),
            ("https://hooks.example?secret", "https://hooks.example"),
            ("https://hooks.example", "https://hooks.example"),
        ] {
            assert_eq!(origin(url), shown);
        }
    }
}
