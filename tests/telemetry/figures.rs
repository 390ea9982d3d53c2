//! Buckets, quantiles, and figures that merge.

use proptest::prelude::*;
use rtvoice::error::Kind;
use rtvoice::telemetry::histogram::{BUCKETS, bucket, lowest};
use rtvoice::telemetry::label::{Label, Only, Stage, TurnOutcome};
use rtvoice::telemetry::metric::{OUTBOX_DEPTH, TURN_STAGES, TURNS};
use rtvoice::telemetry::{Figures, Metric, Metrics, Series};

#[test]
fn buckets_follow_each_other_without_a_gap() {
    for n in 0..BUCKETS - 1 {
        assert_eq!(bucket(lowest(n)), n);
        assert_eq!(bucket(lowest(n + 1) - 1), n);
        assert!(lowest(n + 1) - lowest(n) <= (lowest(n) / 8).max(1), "bucket {n} is too wide");
    }
    assert_eq!((bucket(u64::MAX), bucket(0)), (BUCKETS - 1, 0));
}

proptest! {
    #[test]
    fn a_quantile_is_off_by_an_eighth_at_most(mut values in prop::collection::vec(0_u64..10_000_000, 1..300), share in 0.01_f64..1.0) {
        let metrics = Metrics::default();
        values.iter().for_each(|value| metrics.record(TURN_STAGES, Stage::Total, *value));
        values.sort_unstable();
        let rank = ((share * values.len() as f64).ceil() as usize).clamp(1, values.len());
        let exact = values[rank - 1] as f64;
        let found = metrics.spread(TURN_STAGES, Stage::Total).quantile(share).unwrap();
        prop_assert!((found - exact).abs() <= exact / 8.0 + 1.0, "{found} for {exact}");
    }

    #[test]
    fn instances_merge_to_what_one_would_have_counted(values in prop::collection::vec((0_u64..1_000_000, 0..3_usize), 0..100)) {
        let (one, three) = (Metrics::default(), [Metrics::default(), Metrics::default(), Metrics::default()]);
        for (value, instance) in values {
            for metrics in [&one, &three[instance]] {
                metrics.record(TURN_STAGES, Stage::Load, value);
                metrics.count(TURNS, TurnOutcome::Answered);
            }
        }
        let mut merged = Figures::default();
        three.iter().for_each(|metrics| merged.merge(&Figures::from_json(&metrics.figures().to_json())));
        prop_assert_eq!(merged, one.figures());
    }
}

#[test]
fn what_has_come_since_is_what_was_counted_since() {
    let metrics = Metrics::default();
    metrics.record(TURN_STAGES, Stage::Load, 100);
    let before = metrics.figures();
    assert!(metrics.figures().since(&before).is_empty());
    metrics.record(TURN_STAGES, Stage::Load, 200);
    metrics.count(TURNS, TurnOutcome::Degraded);
    metrics.set(OUTBOX_DEPTH, Only, 3.0);
    let since = metrics.figures().since(&before);
    assert_eq!((since.spread(TURN_STAGES, Stage::Load).sum, since.count(TURNS, TurnOutcome::Degraded)), (200, 1));
    assert_eq!(since.gauge(OUTBOX_DEPTH, Only), Some(3.0));
}

#[test]
fn every_metric_has_a_name_of_its_own_a_meaning_and_few_labels() {
    let mut names = std::collections::BTreeSet::new();
    for metric in Metric::ALL {
        let row = metric.row();
        assert!(names.insert(row.name), "{} stands twice", row.name);
        assert!(row.name.bytes().all(|b| b.is_ascii_lowercase() || b == b'.' || b == b'_') && row.help.ends_with('.'), "{}", row.name);
        assert!((1..=20).contains(&row.values.len()), "{} has {} series", row.name, row.values.len());
        for place in 0..row.values.len() {
            let series = Series { metric: *metric, place: u8::try_from(place).unwrap() };
            assert_eq!(Series::parse(&series.to_string()), Some(series));
        }
    }
}

#[test]
fn errors_are_counted_under_the_names_of_their_table() {
    use Kind::*;
    let kinds = [
        BadInput,
        NotFound,
        MethodNotAllowed,
        Conflict,
        CallEnded,
        PreconditionFailed,
        Slow,
        TooLarge,
        UnsupportedMedia,
        Unavailable,
        Throttled,
        Denied,
        Deadline,
        Poison,
        Erased,
        Tampered,
        Setting,
        Internal,
    ];
    assert_eq!(kinds.len(), Kind::VALUES.len());
    for kind in kinds {
        assert_eq!(format!("error.{}", Kind::VALUES[kind.index()]), kind.row().metric);
    }
}
