//! Connections to real Redis servers: one server, Sentinels and a Redis Cluster, with and without TLS.

mod cluster;
mod masters;
mod requirements;
mod sentinels;
mod servers;
mod tls;
