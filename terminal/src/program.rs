//! Runs a program within bounds of time and of output. After its time the agent ends the program, with everything that
//! it has started.

use std::{
    future::{self, Future},
    io,
    process::{ExitStatus, Stdio},
    time::Duration,
};

use serde_json::{Value, json};
use tokio::{
    process::{Child, Command},
    time::{self, Instant, MissedTickBehavior},
};

use crate::{
    output::OutputTail,
    platform::{self, Ending, OutputPipe, ProgramGroup},
    work_end::WorkEnd,
};

/// The most bytes of output in a reply, as JSON.
const REPLY_MAX: usize = 16 << 10;
/// The most bytes of output in one progress report, as JSON.
const PROGRESS_MAX: usize = 2 << 10;
/// How often progress is reported, if there is new output.
const PROGRESS_EVERY: Duration = Duration::from_secs(1);
/// How long a program has from SIGTERM to SIGKILL.
const GRACE: Duration = Duration::from_secs(5);
/// How long the output is read after the program has ended: a process that the program has started may hold the pipe.
const REST: Duration = Duration::from_millis(500);

/// A program that is to be run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProgramCall {
    /// The program and its arguments.
    pub line: Vec<String>,
    /// How long the program may take.
    pub within: Duration,
}

impl ProgramCall {
    /// Runs the program to its end. Calls `progress` with new output, once a second at most. To drop the future kills
    /// the program with everything that it has started.
    pub async fn run<F: Future<Output = ()>>(&self, mut progress: impl FnMut(String) -> F) -> WorkEnd {
        let (mut child, mut output) = match self.spawn() {
            Ok(started) => started,
            Err(error) => return not_run(&format!("{} can't be started: {error}", self.line[0])),
        };
        let mut group = ProgramGroup::of(&child);
        let mut reports = time::interval_at(Instant::now() + PROGRESS_EVERY, PROGRESS_EVERY);
        reports.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (began, mut deadline) = (Instant::now(), Deadline::new(self.within));
        let status = loop {
            tokio::select! {
                () = output.read() => {}
                status = child.wait() => break status,
                () = deadline.due() => group.end(deadline.next_ending()),
                _ = reports.tick() => if !output.new.is_empty() { progress(output.new.take()).await },
            }
        };
        if !deadline.is_over() {
            group.spare();
        }
        let _ = time::timeout(REST, output.read_rest()).await;
        let mut reply = json!({ "output": output.all.take(), "seconds": began.elapsed().as_secs_f64() });
        if output.all.dropped > 0 {
            reply["dropped_bytes"] = output.all.dropped.into();
        }
        if deadline.is_over() {
            reply["error"] = format!("it did not end within {:?}", self.within).into();
        }
        let succeeded = describe(status, &mut reply) && !deadline.is_over();
        WorkEnd { succeeded, reply }
    }

    fn spawn(&self) -> io::Result<(Child, ProgramOutput)> {
        // Both outputs go to one pipe, so that their order stays.
        let (reader, writer) = io::pipe()?;
        let mut command = Command::new(&self.line[0]);
        command.args(&self.line[1..]).stdin(Stdio::null()).stdout(writer.try_clone()?).stderr(writer);
        platform::prepare(&mut command);
        let child = command.kill_on_drop(true).spawn()?;
        Ok((child, ProgramOutput::new(OutputPipe::new(reader)?)))
    }
}

/// What a program writes.
struct ProgramOutput {
    /// The pipe. `None` once every process that could write has ended.
    pipe: Option<OutputPipe>,
    all: OutputTail,
    /// What was not reported as progress yet.
    new: OutputTail,
}

impl ProgramOutput {
    fn new(pipe: OutputPipe) -> Self {
        Self { pipe: Some(pipe), all: OutputTail::new(REPLY_MAX), new: OutputTail::new(PROGRESS_MAX) }
    }

    /// Reads once. Never returns after the end of the output.
    async fn read(&mut self) {
        let Some(pipe) = &mut self.pipe else { return future::pending().await };
        let bytes = pipe.read().await;
        if bytes.is_empty() {
            self.pipe = None;
        }
        self.all.push(&bytes);
        self.new.push(&bytes);
    }

    async fn read_rest(&mut self) {
        while self.pipe.is_some() {
            self.read().await;
        }
    }
}

/// Says in the reply how the program ended. Returns whether it ended with 0.
fn describe(status: io::Result<ExitStatus>, reply: &mut Value) -> bool {
    match status {
        Ok(status) => {
            if let Some(code) = status.code() {
                reply["exit"] = code.into();
            } else if let Some(signal) = platform::signal_of(status) {
                reply["signal"] = signal.into();
            }
            status.success()
        }
        Err(error) => {
            reply["error"] = format!("it is not known how it ended: {error}").into();
            false
        }
    }
}

fn not_run(why: &str) -> WorkEnd {
    WorkEnd { succeeded: false, reply: json!({ "error": why }) }
}

/// When a program must end: it is asked first gently, then at once.
struct Deadline {
    at: Instant,
    /// How often the program was asked to end.
    asked: usize,
}

impl Deadline {
    fn new(within: Duration) -> Self {
        Self { at: Instant::now() + within, asked: 0 }
    }

    async fn due(&self) {
        time::sleep_until(self.at).await;
    }

    /// Returns how the program is to be asked now.
    fn next_ending(&mut self) -> Ending {
        self.at = Instant::now() + GRACE;
        self.asked += 1;
        if self.asked == 1 { Ending::Gently } else { Ending::AtOnce }
    }

    fn is_over(&self) -> bool {
        self.asked > 0
    }
}

#[cfg(test)]
mod tests {
    use std::{cell::RefCell, fs};

    use super::*;

    async fn run(script: &str, within: Duration) -> (bool, Value, Vec<String>) {
        let line = ["/bin/sh", "-c", script].map(str::to_owned).into();
        let progress = RefCell::new(Vec::new());
        let end = ProgramCall { line, within }
            .run(|text| {
                progress.borrow_mut().push(text);
                std::future::ready(())
            })
            .await;
        (end.succeeded, end.reply, progress.into_inner())
    }

    const LONG: Duration = Duration::from_secs(60);

    #[tokio::test]
    async fn the_reply_says_how_it_ended_and_what_it_wrote() {
        let (succeeded, reply, _) = run("echo out; echo err >&2", LONG).await;
        assert!(succeeded && reply["exit"] == 0, "{reply}");
        let output = reply["output"].as_str().unwrap();
        assert!(output.contains("out\n") && output.contains("err\n"), "{output}");
        let (succeeded, reply, _) = run("exit 7", LONG).await;
        assert!(!succeeded && reply["exit"] == 7, "{reply}");
        let (succeeded, reply, _) = run("kill -9 $$", LONG).await;
        assert!(!succeeded && reply["signal"] == 9, "{reply}");
    }

    #[tokio::test]
    async fn much_output_is_cut_at_its_beginning() {
        let (_, reply, _) = run("seq 1 20000; echo end", LONG).await;
        let output = reply["output"].as_str().unwrap();
        assert!(output.ends_with("20000\nend\n") && output.len() <= REPLY_MAX, "{}", output.len());
        assert!(reply["dropped_bytes"].as_u64().unwrap() > 80_000);
    }

    #[tokio::test]
    async fn output_is_reported_while_the_program_runs() {
        let (_, reply, progress) = run("echo first; sleep 1.3; echo last", LONG).await;
        assert_eq!(progress.first().map(String::as_str), Some("first\n"), "{progress:?}");
        assert_eq!(reply["output"], "first\nlast\n");
    }

    #[tokio::test]
    async fn what_takes_too_long_is_ended_with_what_it_has_started() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("pid");
        let script = format!("sleep 600 & echo $! > {}; wait", file.display());
        let (succeeded, reply, _) = run(&script, Duration::from_millis(300)).await;
        assert!(!succeeded && reply["error"].as_str().unwrap().contains("300ms"), "{reply}");
        let pid = fs::read_to_string(file).unwrap();
        let runs = || fs::read_to_string(format!("/proc/{}/stat", pid.trim())).is_ok_and(|stat| !stat.contains(") Z"));
        muster_testkit::wait::until("the program's own child has ended", async || !runs()).await;
    }

    #[tokio::test]
    async fn a_program_that_is_not_there_is_named() {
        let call = ProgramCall { line: vec!["/nowhere/show".into()], within: LONG };
        let end = call.run(|_| std::future::ready(())).await;
        assert!(!end.succeeded && end.reply["error"].as_str().unwrap().contains("/nowhere/show"), "{}", end.reply);
    }
}
