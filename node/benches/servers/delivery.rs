//! What a delivery costs a server.

use super::{crowd::Crowd, payload::PAYLOAD, server::Server};

/// The broadcasts of one measurement.
const BROADCASTS: usize = 64;

/// CPU per delivery in microseconds, with so many broadcasts in flight.
pub async fn measure(server: &mut dyn Server, crowd: &mut Crowd, in_flight: usize) -> f64 {
    // One that is not counted, so that all begin with warm caches.
    broadcast(server, crowd, 1).await;
    let before = server.cpu();
    for _ in 0..BROADCASTS / in_flight {
        broadcast(server, crowd, in_flight).await;
    }
    (server.cpu() - before).as_secs_f64() * 1e6 / (BROADCASTS * crowd.size()) as f64
}

/// Sends so many broadcasts at once, and waits until all is done.
pub async fn broadcast(server: &mut dyn Server, crowd: &mut Crowd, in_flight: usize) {
    server.broadcast(&"x".repeat(PAYLOAD), in_flight).await;
    crowd.wait_for(in_flight).await;
    server.confirmed(crowd.size()).await;
}
