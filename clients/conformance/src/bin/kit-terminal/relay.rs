//! A relay between the client and the kit, which breaks on the wire what the client itself never would.

use std::{net::SocketAddr, time::Duration};

use anyhow::Context;
use futures_util::{SinkExt, StreamExt};
use tokio::{
    net::{TcpListener, TcpStream},
    time::interval,
};
use tokio_tungstenite::{
    WebSocketStream, accept_hdr_async, client_async,
    tungstenite::{
        ClientRequestBuilder, Message,
        handshake::server::{ErrorResponse, Request, Response},
        http::{HeaderValue, Uri, header},
    },
};

use crate::{breaks::BrokenRule, changes::Changes};

/// The subprotocol of both sides.
const V1: &str = "muster.v1";
/// How often the client gets a ping that breaks R19.
const PINGS: Duration = Duration::from_millis(100);

/// Starts a relay to this URL. Returns the URL for the client.
pub async fn start(url: &str, broken: BrokenRule) -> anyhow::Result<String> {
    let kit: Uri = url.parse()?;
    let kit: SocketAddr = kit.authority().context("MUSTER_URL has no host")?.as_str().parse()?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            tokio::spawn(relay(client, kit, broken));
        }
    });
    Ok(format!("ws://{address}/ws"))
}

/// Relays one session. An error of either side ends both.
async fn relay(client: TcpStream, kit: SocketAddr, broken: BrokenRule) -> anyhow::Result<()> {
    let (client, request) = accept(client).await?;
    let node = connect(kit, &request, broken).await?;
    let (mut to_client, mut from_client) = client.split();
    let (mut to_node, mut from_node) = node.split();
    let mut changes = Changes::new(broken);
    let mut pings = interval(PINGS);
    loop {
        tokio::select! {
            message = from_client.next() => {
                for message in changes.for_kit(message.context("the client is gone")??) {
                    to_node.send(message).await?;
                }
            }
            message = from_node.next() => {
                for message in changes.for_client(message.context("the kit is gone")??)? {
                    to_client.send(message).await?;
                }
            }
            _ = pings.tick(), if broken == BrokenRule::R19 => to_client.send(Message::Ping("kept".into())).await?,
        }
    }
}

#[allow(clippy::result_large_err, reason = "tungstenite defines the error type of a handshake callback")]
async fn accept(client: TcpStream) -> anyhow::Result<(WebSocketStream<TcpStream>, Request)> {
    let mut received = Request::default();
    let agree = |request: &Request, mut response: Response| -> Result<Response, ErrorResponse> {
        received = request.clone();
        response.headers_mut().insert(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(V1));
        Ok(response)
    };
    let client = accept_hdr_async(client, agree).await?;
    Ok((client, received))
}

/// Opens the same session at the kit.
async fn connect(kit: SocketAddr, request: &Request, broken: BrokenRule) -> anyhow::Result<WebSocketStream<TcpStream>> {
    let path = request.uri().path_and_query().context("a handshake without a path")?;
    let mut opening = ClientRequestBuilder::new(format!("ws://{kit}{path}").parse()?).with_sub_protocol(V1);
    if let Some(token) = request.headers().get(header::AUTHORIZATION) {
        opening = opening.with_header("Authorization", token.to_str()?);
    }
    if broken == BrokenRule::R30 {
        opening = opening.with_header("Content-Length", "5");
    }
    let (node, _) = client_async(opening, TcpStream::connect(kit).await?).await?;
    Ok(node)
}
