//! The state of a run in Prometheus's text format.

use prometheus::{Gauge, GaugeVec, IntCounter, IntCounterVec, Opts, Registry, TextEncoder, core::Collector};

use super::gauges::RunState;

/// Why no error is expected: the names are constants, and each is registered once.
const VALID: &str = "a metric has a valid name of its own";

/// Renders a state. Makes a registry for each page, since another module counts.
pub fn render(state: &RunState) -> String {
    let registry = Registry::new();
    for (name, help, value) in counters(state) {
        let counter = IntCounter::new(format!("muster_loadgen_{name}_total"), help).expect(VALID);
        counter.inc_by(value);
        register(&registry, counter);
    }
    for (name, help, value) in gauges(state) {
        let gauge = Gauge::new(format!("muster_loadgen_{name}"), help).expect(VALID);
        gauge.set(value);
        register(&registry, gauge);
    }
    register(&registry, faults(state));
    register(&registry, gates(state));
    TextEncoder::new().encode_to_string(&registry.gather()).expect(VALID)
}

fn register(registry: &Registry, metric: impl Collector + 'static) {
    registry.register(Box::new(metric)).expect(VALID);
}

fn counters(state: &RunState) -> [(&'static str, &'static str, u64); 7] {
    [
        ("messages_offered", "Messages that were due so far by the plan.", state.offered),
        ("messages_sent", "Messages that were sent.", state.sent),
        ("messages_unsent", "Messages that the generator could not send for a reason of its own.", state.unsent),
        ("deliveries", "Messages that terminals received, copies included.", state.delivered),
        (
            "deliveries_overdue",
            "Deliveries to terminals that stayed connected that did not come within the grace. The report says which of \
             them were late, and which lost.",
            state.overdue,
        ),
        ("sessions_lost", "Sessions that ended against the plan.", state.lost_sessions),
        ("attempts_failed", "Attempts to connect that failed.", state.failed_attempts),
    ]
}

fn gauges(state: &RunState) -> [(&'static str, &'static str, f64); 6] {
    [
        ("elapsed_seconds", "Time since the run began.", state.elapsed_s),
        ("terminals_connected", "Terminals that have a session.", state.connected as f64),
        ("terminals_planned", "Terminals of the plan.", state.planned as f64),
        (
            "lag_p99_seconds",
            "From when a message was due until it was sent: the generator's own delay.",
            state.lag_p99_s,
        ),
        ("canary_p99_seconds", "How late a sleeping thread of the generator is woken.", state.canary_p99_s),
        ("stall_seconds", "The longest time for which the threads of the terminals stalled.", state.stalled_s),
    ]
}

fn faults(state: &RunState) -> IntCounterVec {
    let help = "Wrong deliveries by their kind. What is lost in silence is known at the end alone.";
    let faults = IntCounterVec::new(Opts::new("muster_loadgen_faults_total", help), &["kind"]).expect(VALID);
    state.faults.iter().for_each(|(kind, count)| faults.with_label_values(&[kind]).inc_by(*count));
    faults
}

fn gates(state: &RunState) -> GaugeVec {
    let help = "1 if this gate would fail if the run ended now. Gates that only the end decides are left out.";
    let gates = GaugeVec::new(Opts::new("muster_loadgen_gate_tripped", help), &["gate"]).expect(VALID);
    state.gates.iter().for_each(|(gate, fails)| gates.with_label_values(&[gate]).set(f64::from(*fails)));
    gates
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn a_page_has_a_value_for_each_metric() {
        let state = RunState {
            connected: 40,
            overdue: 3,
            lag_p99_s: 0.25,
            faults: BTreeMap::from([("delivered twice", 2)]),
            gates: vec![("schedule lag p99".into(), true), ("canary overshoot p99".into(), false)],
            ..RunState::default()
        };
        let page = render(&state);
        for line in [
            "# TYPE muster_loadgen_deliveries_overdue_total counter",
            "muster_loadgen_deliveries_overdue_total 3",
            "muster_loadgen_terminals_connected 40",
            "muster_loadgen_lag_p99_seconds 0.25",
            "muster_loadgen_faults_total{kind=\"delivered twice\"} 2",
            "muster_loadgen_gate_tripped{gate=\"schedule lag p99\"} 1",
            "muster_loadgen_gate_tripped{gate=\"canary overshoot p99\"} 0",
        ] {
            assert!(page.lines().any(|found| found == line), "{line}: {page}");
        }
    }
}
