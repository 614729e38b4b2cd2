//! Nginx's configuration as text, from the template and typed values alone.

use std::net::SocketAddr;

use minijinja::{Environment, context};

use crate::{config::Config, membership::Members};

/// The configuration of one generation. `control` is where the sidecar asks Nginx which one it runs.
pub fn render(config: &Config, control: SocketAddr, generation: u64, members: &Members) -> anyhow::Result<String> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(minijinja::UndefinedBehavior::Strict);
    let text = environment.render_str(
        include_str!("../templates/nginx.conf"),
        context! {
            workers => config.workers,
            connections => config.connections,
            // Its log, its listeners and a reserve beside the connections.
            descriptors => config.connections + 64,
            dir => config.dir.display().to_string(),
            listen => config.listen.to_string(),
            ws_path => config.ws_path.clone(),
            control => control.to_string(),
            generation,
            nodes => members.iter().map(SocketAddr::to_string).collect::<Vec<_>>(),
        },
    )?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[test]
    fn the_file_re_parses_to_the_set_it_was_made_from() {
        let config = Config::parse_from(["muster-sidecar", "--redis", "redis://h"]);
        let members: Members = [([10, 0, 0, 5], 9000).into(), ([10, 0, 0, 6], 9001).into()].into();
        let text = render(&config, ([127, 0, 0, 1], 1).into(), 7, &members).unwrap();
        let servers = text.lines().filter_map(|line| line.trim().strip_prefix("server 1"));
        let parsed: Members =
            servers.map(|rest| format!("1{}", rest.split(' ').next().unwrap()).parse().unwrap()).collect();
        assert_eq!(parsed, members);
        assert!(text.contains(r#"return 200 "7\n""#));
    }

    #[test]
    fn without_nodes_there_is_no_upstream_and_an_honest_503() {
        let config = Config::parse_from(["muster-sidecar", "--redis", "redis://h"]);
        let text = render(&config, ([127, 0, 0, 1], 1).into(), 1, &Members::new()).unwrap();
        assert!(!text.contains("upstream nodes") && text.contains("return 503"));
    }
}
