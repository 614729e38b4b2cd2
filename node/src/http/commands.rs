//! Commands: asked for, and looked up.

use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::{Request, Response, StatusCode, body::Incoming};
use muster_protocol::{CommandId, api::CommandRequest};

use super::{
    Front,
    answer::{Answer, Body, json, problem},
};
use crate::backplane::Draft;

/// Names are for people and for a terminal's switch.
const NAME_MAX: usize = 128;

/// `POST /v1/commands`
pub async fn post(request: Request<Incoming>, front: &Front) -> Answer {
    let bytes = read(request.into_body(), front.shared.config.max_body).await?;
    let command: CommandRequest = serde_json::from_slice(&bytes)
        .map_err(|error| problem(StatusCode::BAD_REQUEST, format!("the body is no command: {error}")))?;
    if command.name.is_empty() || command.name.len() > NAME_MAX {
        return Err(problem(StatusCode::BAD_REQUEST, format!("name must have 1 to {NAME_MAX} bytes")));
    }
    if command.expires_in.is_zero() {
        return Err(problem(StatusCode::BAD_REQUEST, "expires_in must be longer than 0s"));
    }
    let view = front.shared.backplane.accept(Draft::new(command)).await?;
    front.shared.metrics.commands.inc();
    Ok(json(StatusCode::ACCEPTED, &view))
}

/// `GET /v1/commands/{id}`
pub async fn get(id: &str, front: &Front) -> Answer {
    let id: CommandId = id
        .parse()
        .map_err(|_| problem(StatusCode::BAD_REQUEST, "a command id is a UUID, as POST /v1/commands gave it"))?;
    match front.shared.backplane.command(id).await? {
        Some(view) => Ok(json(StatusCode::OK, &view)),
        None => Err(problem(StatusCode::NOT_FOUND, format!("no command {id}, or it expired long ago (--keep)"))),
    }
}

async fn read(body: Incoming, limit: usize) -> Result<Bytes, Response<Body>> {
    match Limited::new(body, limit).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => {
            let detail = format!("the body is larger than the {limit} bytes that this node takes (--max-body)");
            Err(problem(StatusCode::PAYLOAD_TOO_LARGE, detail))
        }
        Err(_) => Err(problem(StatusCode::BAD_REQUEST, "the body ended early")),
    }
}
