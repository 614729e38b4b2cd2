//! The costs of a run as text: the generator itself, the servers, and Redis.

use std::fmt;

use crate::report::{Point, Report};

impl Report {
    pub(super) fn costs(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let own = &self.own;
        writeln!(
            f,
            "\ngenerator     {:.0} % of {} threads, {:.1} us of CPU per frame read, {:.1} KiB per terminal, {:.0} MiB",
            own.cpu_share * 100.0,
            own.threads,
            own.cpu_us_per_frame,
            own.bytes_per_terminal as f64 / 1024.0,
            own.rss_bytes as f64 / (1 << 20) as f64
        )?;
        if let Some(floor) = &self.floor {
            let p99 = floor.live.points.get("p99").map_or("-".into(), Point::to_string);
            writeln!(
                f,
                "  floor       p99 {p99} ms against the null server; {:.2} us of CPU per frame, {:.2} x a bare reader's {:.2} us",
                floor.cpu_us_per_frame,
                floor.cpu_us_per_frame / floor.bare_us_per_frame,
                floor.bare_us_per_frame
            )?;
        }
        self.servers_costs(f)
    }

    fn servers_costs(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (read, peak) = (self.frames.read.max(1) as f64, self.connections.peak.max(1) as f64);
        for (number, (name, cost)) in self.servers.processes.iter().enumerate() {
            let label = if number == 0 { "servers" } else { "" };
            let grown = cost.rss_after.saturating_sub(cost.rss_before) as f64;
            writeln!(
                f,
                "{label:<14}{name:<10} {:>7.2} s of CPU, {:>6.2} us per delivery; {:>6.1} MiB, {:>6.1} KiB per terminal",
                cost.cpu_s,
                cost.cpu_s * 1e6 / read,
                cost.rss_after as f64 / (1 << 20) as f64,
                grown / 1024.0 / peak
            )?;
        }
        for (url, families) in &self.servers.metrics {
            let shown: Vec<_> = families.iter().filter(|(_, value)| **value != 0.0).take(6).collect();
            let shown: Vec<_> = shown.into_iter().map(|(name, value)| format!("{name} {value}")).collect();
            writeln!(f, "  {url}: {}", shown.join(", "))?;
        }
        if let (Some(user), Some(sys)) =
            (self.servers.redis.get("used_cpu_user"), self.servers.redis.get("used_cpu_sys"))
        {
            let accepted = self.messages.accepted.max(1) as f64;
            let commands = self.servers.redis.get("total_commands_processed").copied().unwrap_or(0.0);
            writeln!(
                f,
                "  Redis: {:.2} s of CPU, {:.0} us and {:.1} of its commands per message",
                user + sys,
                (user + sys) * 1e6 / accepted,
                commands / accepted
            )?;
        }
        Ok(())
    }
}
