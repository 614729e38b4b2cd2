//! Charts on the terminal: terminals online, deliveries, latencies and the last mark.

use std::{collections::VecDeque, env, io::stderr, sync::atomic::Ordering::Relaxed, time::Duration};

use rustix::termios::tcgetwinsize;
use tokio::{sync::oneshot, time};

use super::{
    ViewData,
    alternate::AlternateScreen,
    frame::{Color, Frame},
};

/// The number of past seconds that are stored for the charts. Older ones are dropped.
const SECONDS: usize = 240;

/// The last [`SECONDS`] seconds, newest first. `p99` is in microseconds, `times` holds the latest p50, p99 and
/// maximum in milliseconds, `before` the count of received messages at the last look.
#[derive(Default)]
struct History {
    online: VecDeque<u64>,
    received: VecDeque<u64>,
    p99: VecDeque<u64>,
    times: Option<[f64; 3]>,
    before: u64,
}

/// Draws once per second until `stopped` resolves or the alternate screen is left, then restores the terminal. Draws
/// nothing if the alternate screen can't be entered.
pub async fn show(scene: ViewData, mut stopped: oneshot::Receiver<()>) {
    let Ok(screen) = AlternateScreen::enter() else { return };
    // https://no-color.org
    let colored = env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let mut past = History::default();
    let mut ticks = time::interval(Duration::from_secs(1));
    while screen.is_shown() {
        tokio::select! {
            _ = &mut stopped => break,
            _ = ticks.tick() => {
                past.look(&scene);
                let Ok(size) = tcgetwinsize(stderr()) else { continue };
                let mut frame = Frame::new(size.ws_row, size.ws_col, colored);
                draw(&mut frame, &scene, &past);
                screen.write(&frame.into_text());
            }
        }
    }
}

impl History {
    fn look(&mut self, scene: &ViewData) {
        let received = scene.live.received.load(Relaxed);
        self.times = scene.live.latencies();
        push(&mut self.online, scene.live.online.load(Relaxed).max(0) as u64);
        push(&mut self.received, received - self.before);
        push(&mut self.p99, self.times.map_or(0, |[_, p99, _]| (p99 * 1000.0) as u64));
        self.before = received;
    }
}

fn push(past: &mut VecDeque<u64>, value: u64) {
    past.push_front(value);
    past.truncate(SECONDS);
}

fn draw(frame: &mut Frame, scene: &ViewData, past: &History) {
    let head = frame.bold(&counts(scene, past));
    frame.add_box(&title(scene), &[head]);
    let (now, last) = (scene.clock.now(), scene.plan.last.max(1));
    let label = format!("{:.0} of {:.0} s", now as f64 / 1e9, last as f64 / 1e9);
    let course = frame.gauge((now as f64 / last as f64).clamp(0.0, 1.0), &label, Color::Blue);
    frame.add_box(phase(scene), &[course]);
    let newest = |values: &VecDeque<u64>| values.front().copied().unwrap_or(0);
    let times = past
        .times
        .map_or_else(|| "latency".into(), |[p50, p99, max]| format!("p50 {p50:.1}  p99 {p99:.1}  max {max:.1} ms"));
    // Each chart has an equal share of the rows that the charts before it left.
    chart(frame, 3, &format!("online {}", newest(&past.online)), &past.online, Color::Green);
    chart(frame, 2, &format!("received {} a second", newest(&past.received)), &past.received, Color::Cyan);
    chart(frame, 1, &times, &past.p99, Color::Yellow);
}

fn chart(frame: &mut Frame, share: usize, title: &str, values: &VecDeque<u64>, color: Color) {
    let shown: Vec<u64> = values.iter().take(frame.inner_width()).rev().copied().collect();
    let rows = (frame.rows_left() / share).saturating_sub(2);
    frame.add_box(title, &frame.bars(&shown, rows, color));
}

fn title(scene: &ViewData) -> String {
    if scene.title.is_empty() { "muster-loadgen".into() } else { format!("muster-loadgen: {}", scene.title) }
}

fn counts(scene: &ViewData, past: &History) -> String {
    let (sent, lost) = (scene.live.sent.load(Relaxed), scene.live.lost.load(Relaxed));
    let failed = scene.live.failed.load(Relaxed);
    let mark = scene.marks.lock().ok().and_then(|marks| marks.last().map(|(_, text)| format!("   mark: {text}")));
    format!(
        "{sent} sent   {} received   {lost} sessions lost   {failed} attempts failed{}",
        past.before,
        mark.unwrap_or_default()
    )
}

fn phase(scene: &ViewData) -> &'static str {
    let (now, plan) = (scene.clock.now(), &scene.plan);
    match now {
        now if now < plan.begin => "connecting",
        now if now < plan.measure => "warming up",
        now if now < plan.end => "measuring",
        _ => "waiting for the last",
    }
}
