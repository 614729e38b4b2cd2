//! Which targets each wave has: positions in the frozen order.

use std::ops::Range;

use muster_protocol::api::{WaveRequest, WaveSize};

/// The most targets of a rollout.
pub const TARGETS_MAX: u64 = 200_000;
/// The most targets of one command of a rollout: each of its partitions stores their names.
pub const PORTION_MAX: u64 = 5000;
/// The most portions of a rollout. Its targets need 40, its waves 20, and each time that a wave is held needs one more.
pub const PORTIONS_MAX: usize = 128;

/// The positions of each wave of a rollout that has so many targets. Those of the last waves are empty if others have had all.
pub fn wave_positions(waves: &[WaveRequest], targets: u64) -> Vec<Range<u64>> {
    let mut begin = 0;
    let positions = waves.iter().map(|wave| {
        let size = match wave.size {
            WaveSize::Count(count) => count,
            WaveSize::Percent(percent) => (targets as f64 * percent / 100.0).ceil() as u64,
            WaveSize::Rest => targets,
        };
        let end = begin + size.min(targets - begin);
        std::mem::replace(&mut begin, end)..end
    });
    positions.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn planned(sizes: &[WaveSize], targets: u64) -> Vec<Range<u64>> {
        let waves: Vec<_> = sizes.iter().map(|size| WaveRequest { size: *size, rate: None }).collect();
        wave_positions(&waves, targets)
    }

    #[test]
    fn waves_divide_the_targets() {
        use WaveSize::{Count, Percent, Rest};
        assert_eq!(planned(&[Count(10), Percent(25.0), Rest], 2000), [0..10, 10..510, 510..2000]);
        assert_eq!(planned(&[Percent(1.0), Percent(99.0)], 150), [0..2, 2..150]);
        assert_eq!(planned(&[Count(10), Count(5), Rest], 12), [0..10, 10..12, 12..12]);
        assert_eq!(planned(&[Count(10)], 2000), vec![0..10], "without a rest the others are left alone");
        assert_eq!(planned(&[Rest], 0), vec![0..0]);
    }
}
