//! The figures of the benchmarks: intervals, and what tells two runs apart.

#[path = "../benches/figures/difference.rs"]
mod difference;
#[path = "../benches/figures/interval.rs"]
mod interval;

use difference::{Difference, difference};
use interval::Interval;

fn interval(values: &[f64]) -> Interval {
    Interval::of(values.to_vec())
}

#[test]
fn six_values_are_needed_for_an_interval_that_is_trusted_by_95_percent() {
    assert!(interval(&[1.0, 2.0, 3.0, 4.0, 5.0]).trust < 0.95);
    let of_six = interval(&[6.0, 5.0, 1.0, 4.0, 3.0, 2.0]);
    assert!(of_six.trust >= 0.95);
    assert_eq!((of_six.low, of_six.median, of_six.high), (1.0, 4.0, 6.0));
}

#[test]
fn of_many_values_the_outermost_are_left_out() {
    let values: Vec<_> = (1..=15).map(f64::from).collect();
    let of_many = Interval::of(values);
    assert!(of_many.low > 1.0 && of_many.high < 15.0 && of_many.trust >= 0.95, "{of_many}");
}

#[test]
fn runs_differ_only_if_their_intervals_have_no_value_in_common() {
    let [low, high, both] =
        [[1.0, 1.1, 1.2, 1.2], [1.3, 1.4, 1.5, 1.6], [1.2, 1.3, 1.4, 1.5]].map(|values| interval(&values));
    for (earlier, later, more_is_better, expected) in [
        (&low, &high, false, Difference::Worse),
        (&low, &high, true, Difference::Better),
        (&high, &low, false, Difference::Better),
        (&high, &low, true, Difference::Worse),
        (&low, &both, false, Difference::None),
        (&both, &high, true, Difference::None),
    ] {
        assert_eq!(difference(earlier, later, more_is_better), expected);
    }
}

#[test]
fn three_values_tell_nothing_apart() {
    let (low, high) = (interval(&[1.0, 1.1, 1.2]), interval(&[7.0, 8.0, 9.0]));
    assert_eq!(difference(&low, &high, false), Difference::None);
}
