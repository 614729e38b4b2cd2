//! The process of `--adapter-cmd`: its start, its pipes, and its end.

use std::{
    process::Stdio,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Context, bail};
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    process::{Child, ChildStderr, ChildStdin, ChildStdout, Command},
    sync::{mpsc, oneshot},
    task::JoinHandle,
    time::{interval, timeout},
};

use super::ProgramPipe;
use crate::{adapter::ProgramEvent, config::Config};

/// How long a request may wait for its answer. After this time the program has failed.
const ANSWER: Duration = Duration::from_secs(5);
/// How often this looks whether a request has waited too long.
const LOOK: Duration = Duration::from_millis(100);
/// How long the program may take to end after its stdin has ended. After this time it is killed.
const FAREWELL: Duration = Duration::from_secs(1);
/// The longest line that is read, in bytes: a frame of 1 MiB with escapes.
const LINE: u64 = 8 << 20;
/// How many of the last bytes on stderr are kept.
const COMPLAINTS: usize = 1024;

/// The running program. To drop this ends the program.
pub struct ProgramProcess {
    pipe: ProgramPipe,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl ProgramProcess {
    /// Starts the program of `--adapter-cmd`, by the shell, and waits until it has answered `start`; `None` without the
    /// flag. Fails if the program does not start, or does not answer.
    pub async fn start(config: &Config) -> anyhow::Result<Option<Self>> {
        let Some(command) = &config.adapter.adapter_cmd else { return Ok(None) };
        let mut shell = Command::new("sh");
        // Ctrl-C reaches this process alone, which then ends the program. If this process is killed, the program's
        // stdin ends, and so the program.
        shell.arg("-c").arg(command).process_group(0).kill_on_drop(true);
        shell.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = shell.spawn().context("--adapter-cmd: the shell can't be started")?;
        let (pipe, lines) = ProgramPipe::new(config.fleet.terminals);
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(supervise(child, pipe.clone(), lines, stopped));
        let program = Self { pipe, stop, task };
        if program.pipe.ask(0, ProgramEvent::Start { version: 1 }).await.is_err() {
            let why = program.pipe.failure().map_or_else(String::new, |failure| failure.why);
            program.end().await;
            bail!("--adapter-cmd: {why}");
        }
        Ok(Some(program))
    }

    /// Returns the pipe by which to ask the program.
    pub fn pipe(&self) -> &ProgramPipe {
        &self.pipe
    }

    /// Ends the program, and waits until it has ended.
    pub async fn end(self) {
        let _ = self.stop.send(());
        let _ = self.task.await;
    }
}

/// Runs the program until it fails or `stopped` resolves, and ends it.
async fn supervise(mut child: Child, pipe: ProgramPipe, lines: mpsc::Receiver<String>, stopped: oneshot::Receiver<()>) {
    let (Some(stdin), Some(stdout), Some(stderr)) = (child.stdin.take(), child.stdout.take(), child.stderr.take())
    else {
        return pipe.fail("its pipes could not be made".into());
    };
    let said = Arc::new(Mutex::new(Vec::new()));
    let listening = tokio::spawn(listen(stderr, said.clone()));
    let writing = tokio::spawn(write(stdin, lines));
    let failure = tokio::select! {
        why = read(stdout, &pipe) => Some(why),
        why = watch(&pipe) => Some(why),
        _ = stopped => None,
    };
    // The program reads the end of its stdin.
    writing.abort();
    let status = end(&mut child).await;
    let _ = timeout(FAREWELL, listening).await;
    if let Some(why) = failure {
        let why = if why.is_empty() { format!("it ended ({status})") } else { why };
        let said = last_line(&said.lock().unwrap_or_else(PoisonError::into_inner));
        pipe.fail(if said.is_empty() { why } else { format!("{why}; it said: {said}") });
    }
}

/// Writes lines until the program reads no more.
async fn write(mut stdin: ChildStdin, mut lines: mpsc::Receiver<String>) {
    while let Some(line) = lines.recv().await {
        if stdin.write_all(line.as_bytes()).await.is_err() {
            return;
        }
    }
}

/// Reads answers until one is wrong. Returns what is wrong, or an empty text at the end of the answers.
async fn read(stdout: ChildStdout, pipe: &ProgramPipe) -> String {
    let (mut stdout, mut line) = (BufReader::new(stdout), Vec::new());
    loop {
        line.clear();
        let read = (&mut stdout).take(LINE).read_until(b'\n', &mut line).await;
        match read {
            Ok(1..) if line.ends_with(b"\n") => {}
            Ok(read) if read as u64 == LINE => return format!("it answered with a line of more than {LINE} bytes"),
            // A last line without a line break is no answer.
            _ => return String::new(),
        }
        let text = match str::from_utf8(&line) {
            Ok(text) => text.trim_end().to_owned(),
            Err(_) => return "it answered what is no UTF-8".into(),
        };
        if let Err(why) = pipe.answered(text) {
            return why;
        }
    }
}

/// Returns why the program has failed, once a request has waited too long, or it has failed otherwise.
async fn watch(pipe: &ProgramPipe) -> String {
    let mut looks = interval(LOOK);
    loop {
        looks.tick().await;
        if let Some(failure) = pipe.failure() {
            return failure.why;
        }
        if pipe.oldest().is_some_and(|asked| asked.elapsed() > ANSWER) {
            return format!("it has not answered within {ANSWER:?}");
        }
    }
}

/// Reads stderr to its end, and keeps its last bytes.
async fn listen(mut stderr: ChildStderr, said: Arc<Mutex<Vec<u8>>>) {
    let mut buffer = [0; COMPLAINTS];
    while let Ok(read @ 1..) = stderr.read(&mut buffer).await {
        let mut said = said.lock().unwrap_or_else(PoisonError::into_inner);
        said.extend_from_slice(&buffer[..read]);
        let more = said.len().saturating_sub(COMPLAINTS);
        said.drain(..more);
    }
}

/// Returns the last line that is not empty.
fn last_line(said: &[u8]) -> String {
    let said = String::from_utf8_lossy(said);
    said.lines().rev().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default().to_owned()
}

/// Waits for the end of the process, and kills it and its children if it does not end by itself. Returns how it ended.
async fn end(child: &mut Child) -> String {
    let ended = match timeout(FAREWELL, child.wait()).await {
        Ok(ended) => ended,
        Err(_) => {
            if let Some(group) = child.id().and_then(|id| Pid::from_raw(id as i32)) {
                let _ = kill_process_group(group, Signal::KILL);
            }
            child.wait().await
        }
    };
    ended.map_or_else(|error| error.to_string(), |status| status.to_string())
}
