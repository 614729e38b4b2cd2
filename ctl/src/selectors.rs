//! Saved selectors: lists, saves and removes them.

use hyper::Method;
use muster_protocol::{
    SelectorName,
    api::{SavedSelector, SelectorRequest},
};

use crate::{
    api::{ClusterApi, ListQuery},
    cli::{RowLimit, SelectorVerb},
    exit::Exit,
    list::ShownList,
    text::{Printer, ago},
};

/// Does what is asked of the saved selectors.
pub async fn run(api: &ClusterApi, out: &Printer, verb: SelectorVerb) -> anyhow::Result<Exit> {
    match verb {
        SelectorVerb::Ls { limit } => list(api, out, limit).await,
        SelectorVerb::Set { name, expression } => set(api, out, &name, &SelectorRequest { expression }).await,
        SelectorVerb::Rm { name } => {
            let answer = api.call(Method::DELETE, &path(&name)).await?;
            out.either(&answer.text(), || format!("{name}: removed"))?;
            Ok(Exit::Done)
        }
    }
}

async fn list(api: &ClusterApi, out: &Printer, limit: RowLimit) -> anyhow::Result<Exit> {
    let shown = ShownList { field: "selectors", cursor: "after", head: ["NAME", "SAVED", "BY", "SELECTOR"], cells };
    shown.print(api, out, ListQuery::new("/v1/selectors"), limit).await
}

fn cells(selector: &SavedSelector) -> [String; 4] {
    [
        selector.name.to_string(),
        format!("{} ago", ago(selector.saved_at)),
        selector.by.clone().unwrap_or_else(|| "-".to_owned()),
        selector.expression.to_string(),
    ]
}

async fn set(api: &ClusterApi, out: &Printer, name: &SelectorName, request: &SelectorRequest) -> anyhow::Result<Exit> {
    let answer = api.send(Method::PUT, &path(name), serde_json::to_string(request)?, None).await?;
    out.either(&answer.text(), || format!("{name}: saved; use it as @saved({name})"))?;
    Ok(Exit::Done)
}

fn path(name: &SelectorName) -> String {
    format!("/v1/selectors/{name}")
}
