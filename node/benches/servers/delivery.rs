//! What a delivery costs a server.

use super::{crowd::Crowd, node::Server};

/// The broadcasts of one measurement.
const BROADCASTS: usize = 64;

/// CPU per delivery in microseconds, with so many broadcasts in flight.
pub async fn measure(server: &mut impl Server, crowd: &mut Crowd, payload: &str, in_flight: usize) -> f64 {
    // One that is not counted, so that all begin with warm caches.
    server.broadcast(payload, 1).await;
    crowd.wait_for(1).await;
    let before = server.process().cpu();
    for _ in 0..BROADCASTS / in_flight {
        server.broadcast(payload, in_flight).await;
        crowd.wait_for(in_flight).await;
    }
    (server.process().cpu() - before).as_secs_f64() * 1e6 / (BROADCASTS * crowd.size()) as f64
}
