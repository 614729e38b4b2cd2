//! The verdict as JUnit XML, which CI systems display: one test case for each gate, each kind
//! of fault and each SLO.

use super::Report;
use crate::measure::FaultKind;

/// The report as JUnit XML.
pub fn render(report: &Report) -> String {
    let mut cases = Vec::new();
    for gate in &report.verdict.gates {
        cases.push(case("valid", &gate.name, (!gate.ok).then(|| gate.to_string())));
    }
    for gate in &report.verdict.times {
        cases.push(doubt(&gate.name, (!gate.ok).then(|| gate.to_string())));
    }
    for kind in [
        FaultKind::SilentlyLost,
        FaultKind::DupApp,
        FaultKind::Reordered,
        FaultKind::Corrupt,
        FaultKind::OtherKind,
        FaultKind::Misdelivered,
        FaultKind::Phantom,
        FaultKind::FromReplaced,
    ] {
        let count = report.faults.get(kind.name()).filter(|count| **count > 0);
        cases.push(case("correct", kind.name(), count.map(|count| format!("{count} {}", kind.name()))));
    }
    for check in &report.verdict.checks {
        cases.push(case("slo", &check.slo, (!check.ok || !check.trusted).then(|| check.to_string())));
    }
    let failures = cases.iter().filter(|case| case.contains("<failure")).count();
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuite name=\"{}\" tests=\"{}\" failures=\"{failures}\" time=\"{}\">\n{}</testsuite>\n",
        escape(&format!("muster-loadgen {}", report.title)),
        cases.len(),
        report.measured_s,
        cases.concat()
    )
}

fn case(class: &str, name: &str, failure: Option<String>) -> String {
    let head = format!("  <testcase classname=\"{class}\" name=\"{}\"", escape(name));
    match failure {
        None => format!("{head}/>\n"),
        Some(why) => format!("{head}><failure message=\"{}\"/></testcase>\n", escape(&why)),
    }
}

/// A condition of trustworthy times. One that fails is skipped, and not a failure: an SLO on these times is one.
fn doubt(name: &str, why: Option<String>) -> String {
    case("times", name, why).replace("<failure ", "<skipped ")
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
