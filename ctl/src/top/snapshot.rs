//! The cluster at one moment.

use hyper::Method;
use muster_protocol::api::{CommandPage, FleetView, NodeList};

use crate::api::{ApiError, ClusterApi};

/// How many running commands this program asks for at most.
const COMMANDS: usize = 50;

/// The cluster at the moment of the call.
pub struct ClusterSnapshot {
    /// How many terminals there are, by status and condition.
    pub fleet: FleetView,
    /// The nodes.
    pub nodes: NodeList,
    /// The commands that are not done, the newest first, at most [`COMMANDS`].
    pub commands: CommandPage,
    /// All of this as one JSON object, as the API answers it.
    pub json: String,
}

impl ClusterSnapshot {
    /// Asks the cluster.
    ///
    /// # Errors
    /// If one of the calls has no answer.
    pub async fn take(api: &ClusterApi) -> Result<Self, ApiError> {
        let commands = format!("/v1/commands?state=open&limit={COMMANDS}");
        let (fleet, nodes, commands) = tokio::try_join!(
            api.call(Method::GET, "/v1/fleet"),
            api.call(Method::GET, "/v1/nodes"),
            api.call(Method::GET, &commands),
        )?;
        let json = format!(r#"{{"fleet":{},"nodes":{},"commands":{}}}"#, fleet.text(), nodes.text(), commands.text());
        Ok(Self { fleet: fleet.read()?, nodes: nodes.read()?, commands: commands.read()?, json })
    }
}
